import { DmsError } from '@app/contracts';
import { QueryFailedError } from 'typeorm';

const DEADLOCK = 'ER_LOCK_DEADLOCK';
const LOCK_WAIT = 'ER_LOCK_WAIT_TIMEOUT';
const NO_DATABASE = 'ER_BAD_DB_ERROR';
const NO_TABLE = 'ER_NO_SUCH_TABLE';
const DUPLICATE = 'ER_DUP_ENTRY';
/** The database is there and does not let us in, until somebody changes something; with what to look at. */
const REFUSED_LOGINS: Readonly<Record<string, string>> = {
  ER_ACCESS_DENIED_ERROR: 'look at user and password',
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: 'look at user and password',
  ER_DBACCESS_DENIED_ERROR: 'look at the name of the database, and at the rights of the account on it',
  ER_HOST_NOT_PRIVILEGED: 'the account may not come from this host',
};

/** The driver's code of a failed query or connection, e.g. `ER_DUP_ENTRY` or `ECONNREFUSED`. */
function driverCode(error: unknown): string | null {
  const source = error instanceof QueryFailedError ? (error.driverError as { code?: unknown }) : error;
  const code = (source as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : null;
}

/**
 * The database rolled the transaction back, to break a deadlock, or because another node of a Galera cluster wrote the
 * same row first: it left nothing and may be run again. COMMIT may say so, too.
 */
export function isRolledBack(error: unknown): boolean {
  return driverCode(error) === DEADLOCK;
}

export function isDuplicate(error: unknown): boolean {
  return driverCode(error) === DUPLICATE;
}

/** Trying again is of no use: {@link connectionError} says what is. */
export function isLoginRefused(error: unknown): boolean {
  const code = driverCode(error instanceof DmsError ? error.cause : error);
  return code !== null && Object.hasOwn(REFUSED_LOGINS, code);
}

/**
 * What a connection that cannot be made at the start of a program means.
 *
 * @param address host and port that DMS_DB_URL names
 */
export function connectionError(error: unknown, address: string): DmsError {
  const code = driverCode(error);
  if (error instanceof DmsError || code === NO_DATABASE) return ledgerError(error);
  const remedy = code === null ? undefined : REFUSED_LOGINS[code];
  const problem = remedy === undefined ? 'cannot be reached' : 'refuses the login';
  const message = `DMS_DB_URL: the database at ${address} ${problem}${reason(code)}${remedy === undefined ? '' : `: ${remedy}`}`;
  return new DmsError('LEDGER_UNAVAILABLE', message, { cause: error });
}

function reason(code: string | null): string {
  return code === null ? '' : ` (${code})`;
}

/** What a failed database call means to the caller, where nothing was committed. The cause is for the log only. */
export function ledgerError(error: unknown): DmsError {
  if (error instanceof DmsError) return error;
  const code = driverCode(error);
  if (code === LOCK_WAIT)
    return new DmsError('LOCK_TIMEOUT', 'The target is locked by another transaction', { cause: error });
  if (code === NO_DATABASE) {
    const message = 'The database that DMS_DB_URL names does not exist: create it, or correct the name';
    return new DmsError('LEDGER_UNAVAILABLE', message, { cause: error });
  }
  if (isLoginRefused(error)) {
    const message = `The database refuses the login${reason(code)} of DMS_DB_URL`;
    return new DmsError('LEDGER_UNAVAILABLE', message, { cause: error });
  }
  if (code === NO_TABLE) {
    const message = 'The database holds no ledger yet, or an old one: run "dms migrate"';
    return new DmsError('LEDGER_UNAVAILABLE', message, { cause: error });
  }
  if (code?.startsWith('ER_') && !code.startsWith('ER_CON_')) return DmsError.from(error);
  return new DmsError('LEDGER_UNAVAILABLE', `The database cannot be reached${reason(code)}`, {
    cause: error,
  });
}

/** A COMMIT whose answer did not come: it may have happened or not. */
export function unknownCommit(error: unknown): DmsError {
  return new DmsError(
    'TIMEOUT',
    'The database did not confirm the commit: the outcome is unknown; ask again',
    {
      cause: error,
    },
  );
}
