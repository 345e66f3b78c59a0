import { type QueryRunner } from 'typeorm';
import { LEDGER, type LedgerShape } from './ledger-shape';

/** Without these a table is not the Python system's ledger. */
const NEEDED = ['jobid', 'backup_target_id', 'host', 'mounted'];
const OURS = [
  ...['id', 'created_at', 'updated_at', 'deleted_at', 'deleted', 'version', ...NEEDED],
  ...['state', 'operation_id', 'project_id', 'hold_id', 'lease_expires_at', 'lease_s', 'written_at'],
];
const INTEGERS = ['tinyint', 'smallint', 'mediumint', 'int', 'bigint'];
const MAX_CHARACTERS = 255;

/** Tables of this project, each with a column by which it is known. */
const NEIGHBOURS: Readonly<Record<string, string>> = {
  binding_holds: 'hold_id',
  target_mounts: 'epoch',
  mount_operations: 'epoch',
  nodes: 'incarnation',
  idempotency_keys: 'request_hash',
};

/** Why the existing tables cannot be taken over as they are; nothing was changed. */
export class TakeoverError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(problems.join('; '));
    this.name = 'TakeoverError';
  }
}

/** What stands in the way of taking the table over, each with its remedy. Only reads. */
export async function takeoverProblems(runner: QueryRunner, shape: LedgerShape): Promise<string[]> {
  const strange = strangerProblem(shape);
  if (strange !== null) return [strange];
  return [...columnProblems(shape), ...(await rowProblems(runner, shape))];
}

/** Tables of strangers that bear the names of ours. */
export async function neighbourProblems(runner: QueryRunner): Promise<string[]> {
  const rows = (await runner.query(
    `SELECT TABLE_NAME AS name, COLUMN_NAME AS col FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (?)`,
    [Object.keys(NEIGHBOURS)],
  )) as { name: string; col: string }[];
  return [...new Set(rows.map(({ name }) => name))]
    .filter((table) => !rows.some(({ name, col }) => name === table && col === NEIGHBOURS[table]))
    .map((table) => `table ${table}: belongs to another program; give this service a database of its own`);
}

/** Null where the table is a ledger of the Python system. */
function strangerProblem({ columns, engine }: LedgerShape): string | null {
  const missing = NEEDED.filter((name) => !columns.has(name));
  const id = columns.get('id');
  if (engine !== 'a view' && missing.length === 0 && (id === undefined || INTEGERS.includes(id.type)))
    return null;
  const lacks = missing.length > 0 ? ` (it has no column ${missing.join(', ')})` : '';
  return `table ${LEDGER}: is not a ledger of the Python system${lacks}; move it away: RENAME TABLE ${LEDGER} TO ${LEDGER}_old`;
}

function columnProblems({ columns }: LedgerShape): string[] {
  return [...columns.values()]
    .filter((c) => !OURS.includes(c.name) && !c.nullable && !c.hasDefault && !c.generated)
    .map(({ name }) => `column ${name}: is unknown here and must be given at each insert; give it a default`);
}

async function rowProblems(runner: QueryRunner, { columns }: LedgerShape): Promise<string[]> {
  const conditions: [string, string, string][] = [
    ['jobid', 'jobid IS NULL', 'is NULL'],
    ['backup_target_id', 'backup_target_id IS NULL', 'is NULL'],
    ['host', 'host IS NULL', 'is NULL'],
    ...['backup_target_id', 'host', ...(columns.has('version') ? ['version'] : [])].map(
      (name): [string, string, string] => [
        name,
        `CHAR_LENGTH(${name}) > ${MAX_CHARACTERS}`,
        `has more than ${MAX_CHARACTERS} characters`,
      ],
    ),
  ];
  if (!INTEGERS.includes(columns.get('jobid')?.type ?? '')) {
    conditions.push(['jobid', "jobid NOT REGEXP '^[0-9]{1,18}$'", 'is not a whole number']);
  }
  const problems: string[] = [];
  for (const [column, condition, what] of conditions) {
    const count = await countOf(runner, `SELECT COUNT(*) AS n FROM ${LEDGER} WHERE ${condition}`);
    if (count > 0)
      problems.push(
        `column ${column}: ${what} in ${count} row(s); correct or move them: SELECT * FROM ${LEDGER} WHERE ${condition}`,
      );
  }
  const key = 'jobid, BINARY backup_target_id, BINARY host';
  const groups = `SELECT jobid, backup_target_id, host, COUNT(*) FROM ${LEDGER} GROUP BY ${key} HAVING COUNT(*) > 1`;
  const repeated = await countOf(runner, `SELECT COUNT(*) AS n FROM (${groups}) repeated`);
  if (repeated > 0)
    problems.push(
      `rows: ${repeated} job(s) have several rows for one target on one host, of which one is to remain; keep the one that is mounted: ${groups}`,
    );
  return problems;
}

async function countOf(runner: QueryRunner, sql: string): Promise<number> {
  const [{ n }] = (await runner.query(sql)) as { n: unknown }[];
  return Number(n);
}
