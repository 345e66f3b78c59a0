import { QueryFailedError } from 'typeorm';
import { commitError, isDuplicate, isLoginRefused, isRolledBack, ledgerError } from './ledger-errors';

/** As mysql2 passes on what a server sends. */
const sent = (errno: number, sqlState = 'HY000'): Error =>
  new QueryFailedError('COMMIT', [], Object.assign(new Error('what the server says'), { errno, sqlState }));
/** As mysql2 and Node.js tell of connections. */
const lost = (code?: string): Error =>
  Object.assign(new Error('what the driver says'), { code, errno: -111 });

describe('the meaning of a failed query', () => {
  it.each([
    [1049, '42000', 'LEDGER_UNAVAILABLE', 'DMS_DB_URL names does not exist'],
    [1146, '42S02', 'LEDGER_UNAVAILABLE', 'run "dms migrate"'],
    [1054, '42S22', 'LEDGER_UNAVAILABLE', 'run "dms migrate"'],
    [1142, '42000', 'LEDGER_UNAVAILABLE', 'lacks a right'],
    [1045, '28000', 'LEDGER_UNAVAILABLE', 'refuses the login of DMS_DB_URL (ER_ACCESS_DENIED_ERROR)'],
    [1290, 'HY000', 'LEDGER_UNAVAILABLE', 'is read-only (ER_OPTION_PREVENTS_STATEMENT)'],
    [1047, '08S01', 'LEDGER_UNAVAILABLE', 'does not belong to the primary component'],
    [1053, '08S01', 'LEDGER_UNAVAILABLE', 'is shutting down'],
    [1114, 'HY000', 'LEDGER_UNAVAILABLE', 'has no space left'],
    [1040, '08004', 'LEDGER_UNAVAILABLE', 'accepts no more connections'],
    [1226, '42000', 'LEDGER_UNAVAILABLE', 'ER_USER_LIMIT_REACHED'],
    [1969, '70100', 'LEDGER_UNAVAILABLE', 'broke off the statement (ER_STATEMENT_TIMEOUT)'],
    [1213, '40001', 'LEDGER_UNAVAILABLE', 'ER_LOCK_DEADLOCK'],
    [9001, 'HY000', 'LEDGER_UNAVAILABLE', 'error 9001'],
    [1205, 'HY000', 'LOCK_TIMEOUT', 'locked by another transaction'],
    [1064, '42000', 'INTERNAL', 'unexpected error'],
    [1406, '22001', 'INTERNAL', 'unexpected error'],
    [1062, '23000', 'INTERNAL', 'unexpected error'],
  ])('of the server error %d (%s) is %s for the caller: %s', (number, state, code, words) => {
    const error = ledgerError(sent(number, state));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });

  it.each([
    ['ECONNREFUSED', 'cannot be reached (ECONNREFUSED)'],
    ['ETIMEDOUT', 'cannot be reached (ETIMEDOUT)'],
    ['HANDSHAKE_SSL_ERROR', 'cannot be reached (HANDSHAKE_SSL_ERROR)'],
    ['PROTOCOL_CONNECTION_LOST', 'was lost (PROTOCOL_CONNECTION_LOST)'],
    ['PROTOCOL_SEQUENCE_TIMEOUT', 'was lost (PROTOCOL_SEQUENCE_TIMEOUT)'],
    [undefined, 'The connection to the database was lost'],
  ])('of the connection error %s is LEDGER_UNAVAILABLE for the caller', (code, words) => {
    const error = ledgerError(lost(code));
    expect(error.code).toBe('LEDGER_UNAVAILABLE');
    expect(error.message).toContain(words);
  });

  it('is INTERNAL for the caller if our own code failed', () => {
    expect(ledgerError(new TypeError('x is not a function')).code).toBe('INTERNAL');
  });

  it('tells duplicates and refused logins by the number of the server', () => {
    expect([isDuplicate(sent(1062, '23000')), isDuplicate(sent(1064, '42000'))]).toEqual([true, false]);
    expect([isLoginRefused(sent(1045, '28000')), isLoginRefused(sent(1040, '08004'))]).toEqual([true, false]);
  });
});

describe('a COMMIT that failed', () => {
  it.each([1213, 3101])('is to be run again if the server rolled back (%d)', (number) => {
    expect(isRolledBack(sent(number))).toBe(true);
    expect(isRolledBack(commitError(sent(number)))).toBe(true);
  });

  it.each([1290, 1792])('has surely not happened on a server that is read-only (%d)', (number) => {
    expect(ledgerError(commitError(sent(number))).code).toBe('LEDGER_UNAVAILABLE');
  });

  it.each([1047, 1180, 1053, 1317, 1927, 1969, 1021, 1105, 3100])(
    'has an unknown outcome after the server error %d',
    (number) => {
      expect(isRolledBack(sent(number))).toBe(false);
      expect(commitError(sent(number))).toMatchObject({ code: 'TIMEOUT' });
    },
  );

  it.each(['PROTOCOL_CONNECTION_LOST', 'PROTOCOL_SEQUENCE_TIMEOUT', 'ECONNRESET', undefined])(
    'has an unknown outcome after the connection error %s',
    (code) => {
      expect(commitError(lost(code))).toMatchObject({ code: 'TIMEOUT' });
    },
  );
});
