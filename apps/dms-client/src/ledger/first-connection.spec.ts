import { type DataSource } from 'typeorm';
import { connectFirst } from './first-connection';

const NUMBERS: Record<string, number> = {
  ER_CON_COUNT_ERROR: 1040,
  ER_ACCESS_DENIED_ERROR: 1045,
  ER_DBACCESS_DENIED_ERROR: 1044,
};
const failure = (code: string): Error =>
  Object.assign(
    new Error('what the driver says'),
    code in NUMBERS ? { code, errno: NUMBERS[code], sqlState: '' } : { code },
  );

describe('the first connection to the database', () => {
  let failures: Error[];
  let tried: number;
  let told: string[];

  beforeEach(() => {
    jest.useFakeTimers();
    [failures, tried, told] = [[], 0, []];
  });
  afterEach(() => jest.useRealTimers());

  const source = {
    initialize: () => {
      tried += 1;
      const error = failures.shift();
      return error === undefined ? Promise.resolve(source) : Promise.reject(error);
    },
  } as unknown as DataSource;

  const connect = async (attempts = 3, limitMs = 60_000): Promise<unknown> => {
    const tell = (problem: string, attempt: number): void => void told.push(`${attempt}: ${problem}`);
    const connected = connectFirst(() => source, 'db.example:3306', { attempts, limitMs, tell }).catch(
      (error: unknown) => error,
    );
    await jest.runAllTimersAsync();
    return connected;
  };

  it('waits for a database that comes up, and tells the reason in a line', async () => {
    failures = [failure('ECONNREFUSED'), failure('ER_CON_COUNT_ERROR')];
    expect(await connect()).toBe(source);
    expect(told).toEqual([
      '1: DMS_DB_URL: the database at db.example:3306 cannot be reached (ECONNREFUSED)',
      '2: DMS_DB_URL: the database at db.example:3306 accepts no more connections (ER_CON_COUNT_ERROR)',
    ]);
  });

  it('gives up after its attempts, or its time', async () => {
    failures = Array.from({ length: 9 }, () => failure('ECONNREFUSED'));
    expect(await connect(3)).toMatchObject({ code: 'LEDGER_UNAVAILABLE', exitCode: 75 });
    expect(tried).toBe(3);
    tried = 0;
    await connect(9, 999);
    expect(tried).toBe(1);
  });

  it.each([
    ['ER_ACCESS_DENIED_ERROR', 'refuses the login (ER_ACCESS_DENIED_ERROR): look at user and password'],
    ['ER_DBACCESS_DENIED_ERROR', 'refuses the login (ER_DBACCESS_DENIED_ERROR): '],
  ])('does not try again after %s, which is no passing state', async (code, words) => {
    failures = [failure(code)];
    expect(String(await connect())).toContain(`DMS_DB_URL: the database at db.example:3306 ${words}`);
    expect([tried, told]).toEqual([1, []]);
  });
});
