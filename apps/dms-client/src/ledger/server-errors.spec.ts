import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { classOfServerError, SERVER_ERRORS } from './server-errors';

interface KnownError {
  readonly number: number;
  readonly state: string | undefined;
  readonly name: string;
}

const MARIADB: KnownError[] = readFileSync(join(__dirname, 'fixtures/mariadb-errors.txt'), 'utf8')
  .split('\n')
  .filter((line) => /^\d/.test(line))
  .map((line) => line.split(' '))
  .map(([number, state, name]) => ({ number: Number(number), state, name }));

/** The driver has the list of MySQL 8.0, without the states. */
const MYSQL: KnownError[] = Object.entries(
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- no export of the package
  require(join(dirname(require.resolve('mysql2')), 'lib/constants/errors.js')) as Record<string, unknown>,
)
  .filter((entry): entry is [string, number] => typeof entry[1] === 'number' && entry[1] < 10_000)
  .map(([name, number]) => ({ number, state: undefined, name }));

const NAMED = Object.values(SERVER_ERRORS).flatMap((numbers) => Object.entries(numbers));
/** One name of MySQL stands for another number in MariaDB. */
const RENAMED: Record<string, string> = { ER_ACCOUNT_LOCKED_OF_MARIADB: 'ER_ACCOUNT_HAS_BEEN_LOCKED' };

/** Errors that sound like trouble of the server, and can only come from statements that we do not send. */
const HARMLESS =
  /SLAVE|REPLICA|MASTER|SOURCE|BINLOG|GTID|MTS|MI_|RLI_|CLONE|KEYRING|AUDIT|FEDERATED|GRANT|SP_|TRG|PARTITION|_FT|TTL|MFA|PASSWORD|PLUGIN|RESOURCE_GROUP|TABLESPACE|UNUSED|WARN|GROUP_REPLICATION|GRP_RPL|DA_|LOCKING_SERVICE|WITH_READ_?LOCK|BACKUP|XA|COL_COUNT|VARIABLE|READ_ONLY_TRANSACTION$|HELP_DB|DEBUG_SYNC|PERSIST_ONLY|JSON_DIFF|REDO_LOG_ARCHIVE|PRIVILEGE_CHECKS|DBLWR|SYS_VAR/;

describe('the table of server errors', () => {
  it('names every number as one of the two servers names it', () => {
    const known = new Set([...MARIADB, ...MYSQL].map(({ number, name }) => `${name} ${number}`));
    const unknown = NAMED.map(([name, number]) => `${RENAMED[name] ?? name} ${number}`);
    expect(unknown.filter((pair) => !known.has(pair))).toEqual([]);
  });

  it('names no number twice', () => {
    const numbers = NAMED.map(([, number]) => number);
    expect(numbers.filter((number, index) => numbers.indexOf(number) !== index)).toEqual([]);
  });

  it.each([
    ['MariaDB 10.11', MARIADB, 1_200],
    ['MySQL 8.0', MYSQL, 1_900],
  ])('gives every error of %s a class', (_server, errors, atLeast) => {
    expect(errors.length).toBeGreaterThan(atLeast);
    const classes = new Set(errors.map(({ number, state }) => classOfServerError(number, state)));
    const all = ['again', 'configuration', 'connection', 'defect', 'limit', 'locked', 'server'];
    expect([...classes].sort()).toEqual(all);
  });

  it('calls nothing a defect that sounds like a server in trouble', () => {
    const trouble =
      /READ_?ONLY|DISK|FULL\b|OUT_?OF_?(MEM|RES)|SHUTDOWN|TOO_MANY_(USER|CON)|TIMEOUT|KILLED|INTERRUPT|OFFLINE|CRASH|CORRUPT|NET_(READ|WRITE|ERROR)|DEADLOCK|ACCESS_DENIED|BLOCKED|IO_(READ|WRITE)/;
    const sound = [...MARIADB, ...MYSQL].filter(({ name }) => trouble.test(name) && !HARMLESS.test(name));
    const defects = sound.filter(({ number, state }) => classOfServerError(number, state) === 'defect');
    expect(sound.length).toBeGreaterThan(50);
    expect(defects.map(({ number, name }) => `${number} ${name}`)).toEqual([]);
  });

  it.each([
    [65_000, 'HY000', 'connection'],
    [4_999, 'HY000', 'connection'],
    [9_001, 'HY000', 'connection'],
    [4_999, '08S01', 'connection'],
    [4_999, '57P01', 'server'],
    [4_999, '53100', 'server'],
    [4_999, '40001', 'again'],
    [4_999, '42000', 'defect'],
    [4_999, '22003', 'defect'],
    [4_999, '23000', 'defect'],
    [28, 'HY000', 'server'],
  ])('judges the unknown error %d with state %s as %s', (number, state, expected) => {
    expect(classOfServerError(number, state)).toBe(expected);
  });
});
