import { DmsError } from '@app/contracts';
import { QueryFailedError } from 'typeorm';

const DEADLOCK = 'ER_LOCK_DEADLOCK';
const LOCK_WAIT = 'ER_LOCK_WAIT_TIMEOUT';
const NO_DATABASE = 'ER_BAD_DB_ERROR';
const DUPLICATE = 'ER_DUP_ENTRY';

/** The driver's code of a failed query or connection, e.g. `ER_DUP_ENTRY` or `ECONNREFUSED`. */
function driverCode(error: unknown): string | null {
  const source = error instanceof QueryFailedError ? (error.driverError as { code?: unknown }) : error;
  const code = (source as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : null;
}

/** The transaction was chosen to break a deadlock: it left nothing and may be run again. */
export function isDeadlock(error: unknown): boolean {
  return driverCode(error) === DEADLOCK;
}

export function isDuplicate(error: unknown): boolean {
  return driverCode(error) === DUPLICATE;
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
  if (code?.startsWith('ER_') && !code.startsWith('ER_CON_') && code !== 'ER_ACCESS_DENIED_ERROR') {
    return DmsError.from(error);
  }
  return new DmsError(
    'LEDGER_UNAVAILABLE',
    `The database cannot be reached${code === null ? '' : ` (${code})`}`,
    {
      cause: error,
    },
  );
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
