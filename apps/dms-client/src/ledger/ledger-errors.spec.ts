import { ledgerError } from './ledger-errors';

const failure = (code: string): Error => Object.assign(new Error('what the driver says'), { code });

describe('ledgerError', () => {
  it.each([
    ['ER_BAD_DB_ERROR', 'LEDGER_UNAVAILABLE', 'DMS_DB_URL names does not exist'],
    ['ER_NO_SUCH_TABLE', 'LEDGER_UNAVAILABLE', 'run "dms migrate"'],
    ['ECONNREFUSED', 'LEDGER_UNAVAILABLE', 'ECONNREFUSED'],
    ['ER_ACCESS_DENIED_ERROR', 'LEDGER_UNAVAILABLE', 'refuses the login (ER_ACCESS_DENIED_ERROR)'],
    ['ER_LOCK_WAIT_TIMEOUT', 'LOCK_TIMEOUT', 'locked by another transaction'],
    ['ER_PARSE_ERROR', 'INTERNAL', 'unexpected error'],
  ])('makes of %s the code %s', (driverCode, code, words) => {
    const error = ledgerError(failure(driverCode));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });
});
