import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { describeOnRig } from '../e2e/on-rig';
import { PROGRAMS } from '../fleet/programs';
import { PYTHON_COLUMNS, PYTHON_TABLE } from '../fleet/python-ledger';
import { PythonWriters } from '../fleet/python-writers';
import { cleanEnvironment, makeDirectory, MariaDb, removeDirectory, waitFor } from '../rig';

const TABLE = 'backup_target_mount_ledger';
const ROWS = 400_000;
/** All that the Python system knows of its rows, as one number. */
const SUM = `SELECT COUNT(*) AS n, BIT_XOR(CRC32(CONCAT_WS('|', ${PYTHON_COLUMNS.split(', ')
  .map((name) => (/_at$/.test(name) ? `CAST(${name} AS CHAR(19))` : name))
  .map((value) => `COALESCE(${value}, 'null')`)
  .join(', ')}))) AS sum FROM ${TABLE} WHERE backup_target_id <> 'busy'`;

describeOnRig(`taking over a table of ${ROWS} rows`, (rig) => {
  const directory = join(rig.directory, 'takeover-long');
  const database = new MariaDb({ directory });
  const open: Connection[] = [];
  let connection: Connection;

  const connect = async (): Promise<Connection> => {
    const made = await createConnection(database.url);
    made.on('error', () => undefined);
    open.push(made);
    return made;
  };
  const rows = async (sql: string): Promise<RowDataPacket[]> =>
    (await connection.query<RowDataPacket[]>(sql))[0];
  /** `dms migrate`, as a process that can be killed. */
  const migrate = (): { child: ChildProcess; status: Promise<number | null> } => {
    const child = spawn(process.execPath, [PROGRAMS.cli, 'migrate'], {
      env: cleanEnvironment({ DMS_DB_URL: database.url, DMS_RABBITMQ_URL: String(rig.brokerUrl) }),
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return { child, status: once(child, 'exit').then(([code]) => code as number | null) };
  };
  const altering = (): Promise<boolean> =>
    waitFor(
      async () =>
        (
          await rows(
            `SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'ALTER%' AND TIME_MS > 200`,
          )
        ).length > 0,
      { timeoutMs: 60_000, intervalMs: 5, what: 'the ALTER to run' },
    );

  beforeAll(async () => {
    await makeDirectory(directory);
    await database.start();
  });
  beforeEach(async () => {
    connection = await connect();
    await connection.query('DROP DATABASE dms');
    await connection.query('CREATE DATABASE dms CHARACTER SET utf8mb4');
    await connection.changeUser({ database: 'dms' });
    await connection.query(PYTHON_TABLE);
    await connection.query(`INSERT INTO ${TABLE} (${PYTHON_COLUMNS})
      SELECT '2026-01-02 03:04:05' + INTERVAL seq SECOND, NULL, '2026-01-02 03:04:05', seq % 11 = 0, '1.0', seq,
        CONCAT('target-', seq % 997), CONCAT('compute-', seq % 50), seq % 3 = 0 FROM seq_1_to_${ROWS}`);
  });
  afterEach(async () => {
    for (const each of open.splice(0)) each.destroy();
    await Promise.resolve();
  });
  afterAll(async () => {
    await database.stop();
    await removeDirectory(directory);
  });

  it('is done under clients that write, by two processes at once, after one that was killed', async () => {
    const [before] = await rows(SUM);
    const connections = await Promise.all(Array.from({ length: 4 }, connect));
    const writers = new PythonWriters(connections, 1_000_000, 'busy', 'h');
    const killed = migrate();
    await altering();
    killed.child.kill('SIGKILL');
    await killed.status;
    // The server goes on with the statement of the killed one; these two find it under way.
    const statuses = await Promise.all([migrate().status, migrate().status]);
    expect(statuses).toEqual([0, 0]);
    const count = writers.count;
    await waitFor(() => writers.count > count + 50, { timeoutMs: 30_000, what: 'the clients to write on' });
    const written = await writers.stop();
    // What the clients waited at most, for the documents: the copy of the table.
    process.stdout.write(`longest pause of a client: ${Math.round(writers.longestMs)} ms for ${ROWS} rows\n`);
    expect(await rows(SUM)).toEqual([before]);
    expect(
      await rows(`SELECT jobid, mounted FROM ${TABLE} WHERE backup_target_id = 'busy' ORDER BY jobid`),
    ).toEqual(written);
  });

  it('is done after the database was killed in the middle', async () => {
    const [before] = await rows(SUM);
    const interrupted = migrate();
    await altering();
    await database.kill();
    expect(await interrupted.status).not.toBe(0);
    await database.start();
    connection = await connect();
    expect(await rows(SUM)).toEqual([before]);
    expect(await migrate().status).toBe(0);
    expect(await rows(SUM)).toEqual([before]);
  });
});
