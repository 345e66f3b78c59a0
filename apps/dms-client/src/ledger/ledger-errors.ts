import { DmsError } from '@app/contracts';
import { QueryFailedError } from 'typeorm';
import { tlsProblemOf } from './server-certificate';
import {
  classOfServerError,
  conditionOfServer,
  type FailureClass,
  nameOfServerError,
  READ_ONLY,
} from './server-errors';

const DUPLICATE = 1062;
const NO_DATABASE = 1049;
/** The schema lacks a table or a column that this version needs. */
const OLD_SCHEMA: readonly number[] = [1054, 1146, 1932];
/** The account may log in, and may not do what we need. */
const MISSING_RIGHTS: readonly number[] = [1142, 1143, 1227, 1370];
/** The database is there and does not let us in, until somebody changes something; with what to look at. */
const REFUSED_LOGINS: Readonly<Record<number, string>> = {
  1045: 'look at user and password',
  1698: 'look at user and password',
  1044: 'look at the name of the database, and at the rights of the account on it',
  1130: 'the account may not come from this host',
  1133: 'look at user and password',
  1251: 'look at how the account authenticates',
  1275: 'look at how the account authenticates',
  1524: 'look at how the account authenticates',
  1820: 'the password has expired: set a new one',
  1862: 'the password has expired: set a new one',
  1873: 'look at user and password',
  3118: 'the account is locked',
  3159: 'the server wants TLS: set DMS_DB_CA_FILE',
  3879: 'look at the name of the database, and at the rights of the account on it',
  3955: 'the account is locked',
  4150: 'the account is locked',
  4151: 'the account is locked',
};
/** The network between us and a server, or its TLS: there is no connection. */
const UNREACHABLE =
  /^(ECONNREFUSED|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_|EACCES|EADDR|HANDSHAKE_|ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/;

interface DriverError {
  readonly errno?: unknown;
  readonly sqlState?: string;
  readonly code?: unknown;
}

function driverError(error: unknown): DriverError {
  const source: unknown = error instanceof QueryFailedError ? error.driverError : error;
  return source ?? {};
}

/** The number that the server sent; null for an error of the driver or the network, whose `errno` is the system's. */
function serverNumber(error: unknown): number | null {
  const { errno, sqlState } = driverError(error);
  return typeof errno === 'number' && sqlState !== undefined ? errno : null;
}

/** The name of what failed, e.g. `ER_DUP_ENTRY` or `ECONNREFUSED`. */
function nameOf(error: unknown): string | null {
  const number = serverNumber(error);
  const { code } = driverError(error);
  const name = number === null ? undefined : nameOfServerError(number);
  if (name !== undefined) return name;
  if (typeof code === 'string') return code;
  return number === null ? null : `error ${number}`;
}

/** Returns what a failed query or connection means to us. */
export function failureClass(error: unknown): FailureClass {
  const number = serverNumber(error);
  if (number !== null) return classOfServerError(number, driverError(error).sqlState);
  const { code } = driverError(error);
  if (typeof code === 'string') return UNREACHABLE.test(code) ? 'server' : 'connection';
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError
    ? 'defect'
    : 'connection';
}

/**
 * Returns true if the transaction is rolled back and may be run again, whichever of its statements failed. That holds of
 * COMMIT, too: a Galera node finds most conflicts there.
 */
export function isRolledBack(error: unknown): boolean {
  return failureClass(error) === 'again';
}

export function isDuplicate(error: unknown): boolean {
  return serverNumber(error) === DUPLICATE;
}

/** The account may log in; tables, columns or rights are missing. */
export function isIncomplete(error: unknown): boolean {
  const number = serverNumber(error) ?? 0;
  return OLD_SCHEMA.includes(number) || MISSING_RIGHTS.includes(number);
}

/** Trying again is of no use: {@link connectionError} says what is. */
export function isLoginRefused(error: unknown): boolean {
  const number = serverNumber(error instanceof DmsError ? error.cause : error);
  return number !== null && Object.hasOwn(REFUSED_LOGINS, number);
}

/**
 * What a connection that cannot be made at the start of a program means.
 *
 * @param address host and port that DMS_DB_URL names
 */
export function connectionError(error: unknown, address: string): DmsError {
  const number = serverNumber(error);
  if (error instanceof DmsError || number === NO_DATABASE) return ledgerError(error);
  const remedy = number === null ? undefined : REFUSED_LOGINS[number];
  const condition = (number === null ? null : conditionOfServer(number)) ?? unreachable(error);
  const problem = remedy === undefined ? condition : 'refuses the login';
  const message = `DMS_DB_URL: the database at ${address} ${problem}${reason(error)}${remedy === undefined ? '' : `: ${remedy}`}`;
  return new DmsError('LEDGER_UNAVAILABLE', message, { cause: error });
}

function reason(error: unknown): string {
  const name = nameOf(error);
  return name === null ? '' : ` (${name})`;
}

/** What a failed database call means to the caller, where nothing was committed. The cause is for the log only. */
export function ledgerError(error: unknown): DmsError {
  if (error instanceof DmsError) return error;
  switch (failureClass(error)) {
    case 'again':
      return unavailable('The database had to break off the transaction again and again', error);
    case 'locked':
      return new DmsError('LOCK_TIMEOUT', 'The target is locked by another transaction', { cause: error });
    case 'connection':
      return unavailable(interruption(error), error);
    case 'limit':
    case 'server':
      return unavailable(`The database ${conditionIn(error)}`, error);
    case 'configuration':
      return unavailable(configurationProblem(error), error);
    case 'defect':
      return DmsError.from(error);
  }
}

function unavailable(problem: string, error: unknown): DmsError {
  return new DmsError('LEDGER_UNAVAILABLE', `${problem}${reason(error)}`, { cause: error });
}

/** Returns what is wrong with a server, to follow its name: `is read-only (ER_OPTION_PREVENTS_STATEMENT)`. */
export function failureText(error: unknown): string {
  if (error instanceof DmsError) return `does not serve: ${error.message}`;
  if (isLoginRefused(error)) return `refuses the login${reason(error)}`;
  if (isIncomplete(error)) return `lacks a table, a column or a right of the ledger${reason(error)}`;
  const isLost = serverNumber(error) === null && failureClass(error) === 'connection';
  return `${isLost ? 'does not answer' : conditionIn(error)}${reason(error)}`;
}

/** What is wrong with the server, e.g. `is read-only`. */
function conditionIn(error: unknown): string {
  const number = serverNumber(error);
  if (number === null) return unreachable(error);
  return conditionOfServer(number) ?? 'cannot work at the moment';
}

function unreachable(error: unknown): string {
  const problem = tlsProblemOf(error instanceof QueryFailedError ? error.driverError : error);
  return problem === null ? 'cannot be reached' : `cannot be reached: ${problem}`;
}

function interruption(error: unknown): string {
  return serverNumber(error) === null
    ? 'The connection to the database was lost'
    : 'The database broke off the statement';
}

function configurationProblem(error: unknown): string {
  const number = serverNumber(error) ?? 0;
  if (number === NO_DATABASE)
    return 'The database that DMS_DB_URL names does not exist: create it, or correct the name';
  if (OLD_SCHEMA.includes(number))
    return 'The database holds no ledger yet, or an old one: run "dms migrate"';
  if (MISSING_RIGHTS.includes(number))
    return 'The account of DMS_DB_URL lacks a right: let it SELECT, INSERT, UPDATE and DELETE';
  if (Object.hasOwn(REFUSED_LOGINS, number)) return 'The database refuses the login of DMS_DB_URL';
  return 'The database is not set up for the ledger';
}

/** Answers of COMMIT after which surely nothing was committed. */
const DEFINITE_REFUSALS: readonly number[] = [
  READ_ONLY.ER_OPTION_PREVENTS_STATEMENT,
  READ_ONLY.ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION,
];

/**
 * Returns what a COMMIT that failed means: `error` itself where surely nothing was committed, because the server has
 * rolled the transaction back or refused to write; else TIMEOUT, because it may have happened or not.
 */
export function commitError(error: unknown): Error {
  const refused = DEFINITE_REFUSALS.includes(serverNumber(error) ?? 0);
  return error instanceof Error && (refused || isRolledBack(error)) ? error : unknownCommit(error);
}

/** A COMMIT that may have happened or not. */
export function unknownCommit(cause: unknown): DmsError {
  return new DmsError(
    'TIMEOUT',
    'The database did not confirm the commit: the outcome is unknown; ask again',
    { cause },
  );
}
