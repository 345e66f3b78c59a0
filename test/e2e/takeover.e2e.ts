import { randomUUID } from 'node:crypto';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { type MigrationPlan, MigrateService } from '../../apps/dms-client/src/ledger/migrate.service';
import { Binding } from '../../apps/dms-client/src/ledger/entities/binding.entity';
import { databaseAddress, onLedgerSource } from '../fleet/ledger-source';
import { PROGRAMS } from '../fleet/programs';
import { PYTHON_COLUMNS, PYTHON_TABLE, PythonLedger } from '../fleet/python-ledger';
import { PythonWriters } from '../fleet/python-writers';
import { cleanEnvironment, runCommand, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const TABLE = 'backup_target_mount_ledger';
/** Everything of a row that the Python system knows, to the byte. */
const BYTES = `SELECT ${PYTHON_COLUMNS.split(', ')
  .map((name) =>
    /_at$/.test(name)
      ? `CAST(${name} AS CHAR(19)) AS ${name}`
      : `HEX(CONVERT(${name} USING utf8mb4)) AS ${name}`,
  )
  .join(', ')} FROM ${TABLE} ORDER BY jobid, backup_target_id, host`;

describeOnRig("taking over the Python system's table", (rig) => {
  let name: string;
  let connection: Connection;
  const open: Connection[] = [];

  beforeEach(async () => {
    name = `takeover_${randomUUID().slice(0, 8)}`;
    connection = await connect(null);
    await connection.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
    await connection.changeUser({ database: name });
  });
  afterEach(async () => {
    await connection.query('ROLLBACK');
    await connection.query(`DROP DATABASE ${name}`);
    await Promise.all(open.splice(0).map((each) => each.end()));
  });

  const url = (): string => databaseAddress(String(rig.databaseUrl), name);
  const connect = async (database: string | null = name): Promise<Connection> => {
    const made = await createConnection({ uri: String(rig.databaseUrl), multipleStatements: true });
    open.push(made);
    if (database !== null) await made.changeUser({ database });
    return made;
  };
  const migrate = (address = url()): Promise<string[]> =>
    onLedgerSource(address, (source) => new MigrateService(source).migrate());
  const plan = (): Promise<MigrationPlan> =>
    onLedgerSource(url(), (source) => new MigrateService(source).plan());
  const rows = async (sql: string): Promise<RowDataPacket[]> =>
    (await connection.query<RowDataPacket[]>(sql))[0];
  const failure = async (work: Promise<unknown>): Promise<{ code: string; message: string }> =>
    work.then(
      () => ({ code: 'none', message: '' }),
      (error: unknown) => error as { code: string; message: string },
    );

  it('keeps every row as it was, dirty ones too, and is the same table afterwards as a new one', async () => {
    await connection.query(PYTHON_TABLE);
    await connection.query("SET sql_mode = ''");
    await connection.query(`INSERT INTO ${TABLE} (${PYTHON_COLUMNS}) VALUES
      ('2026-01-02 03:04:05', '2026-01-02 03:04:06', '2026-01-02 03:04:05', 0, '1.0', 1, 'target-1', 'compute-01', 1),
      ('2026-01-02 03:04:05', '2026-01-02 03:04:06', '2026-01-02 03:04:05', 0, '1.0', 2, 'target-1', 'compute-01', 0),
      ('2026-01-02 03:04:05', '2026-01-02 03:04:06', '2026-01-02 03:04:05', 1, '1.0', 2, 'target-1', 'compute-02', 1),
      (NULL, NULL, NULL, NULL, NULL, 3, 'target-1', 'compute-01', NULL),
      ('0000-00-00', '0000-00-00', '2026-02-00', 7, '', 4, 'target-1', 'compute-01', -1),
      ('1970-01-01', '9999-12-31 23:59:59', NULL, 0, '1.0', 0, 'Zïel/☃ ', '', 2),
      (NULL, NULL, NULL, 0, REPEAT('v', 255), -5, REPEAT('ü', 255), REPEAT('h', 255), 1)`);
    const before = await rows(BYTES);
    expect((await plan()).takeover).toEqual({ rows: 7, held: 5 });
    await migrate();
    expect(await rows(BYTES)).toEqual(before);
    const taken = (await rows(`SHOW COLUMNS FROM ${TABLE}`)).map((column) => JSON.stringify(column)).sort();
    await connection.query(`DROP TABLE ${TABLE}, dms_migrations`);
    await migrate();
    const fresh = (await rows(`SHOW COLUMNS FROM ${TABLE}`)).map((column) => JSON.stringify(column)).sort();
    expect(taken).toEqual(fresh);
  });

  it('counts whatever a Python program wrote as mounted', async () => {
    await connection.query(PYTHON_TABLE);
    for (const [job, mounted] of [[1, 1], [2, -1], [3, 2], [4, 0], [5, null]]) // prettier-ignore
      await connection.query(`INSERT INTO ${TABLE} (jobid, backup_target_id, host, mounted) VALUES (?, 't', 'h', ?)`, [job, mounted]); // prettier-ignore
    await migrate();
    const found = await onLedgerSource(url(), (source) => source.getRepository(Binding).find());
    expect(found.map(({ jobid, effectiveState }) => [jobid, effectiveState])).toEqual([
      [1, 'held'],
      [2, 'held'],
      [3, 'held'],
      [4, 'released'],
      [5, 'released'],
    ]);
  });

  it('takes a table of another character set, engine and row format', async () => {
    const latin = PYTHON_TABLE.replace(
      'ENGINE=InnoDB DEFAULT CHARSET=utf8mb4',
      'ENGINE=MyISAM DEFAULT CHARSET=latin1',
    );
    await connection.query(latin);
    await connection.query(`ALTER TABLE ${TABLE} MODIFY version varchar(255) CHARACTER SET utf8mb3`);
    await connection.query(`INSERT INTO ${TABLE} (jobid, backup_target_id, host) VALUES (1, 'Zïel', 'höst')`);
    const before = await rows(BYTES);
    await migrate();
    expect(await rows(BYTES)).toEqual(before);
    const [table] = await rows(`SHOW TABLE STATUS LIKE '${TABLE}'`);
    expect(table).toMatchObject({ Engine: 'InnoDB', Row_format: 'Dynamic', Collation: 'utf8mb4_bin' });
  });

  it.each<[string, string, RegExp]>([
    [
      'rows that occur twice',
      `CREATE TABLE ${TABLE} (id INT AUTO_INCREMENT PRIMARY KEY, jobid INT, backup_target_id VARCHAR(255), host VARCHAR(255), mounted BOOLEAN);
       INSERT INTO ${TABLE} (jobid, backup_target_id, host, mounted) VALUES (1, 't', 'h', 1), (1, 't', 'h', 0)`,
      /rows: 1 job\(s\) have several rows .* GROUP BY/,
    ],
    [
      'values that do not fit, and none where one is needed',
      `CREATE TABLE ${TABLE} (jobid VARCHAR(36), backup_target_id TEXT, host VARCHAR(255), mounted BOOLEAN);
       INSERT INTO ${TABLE} VALUES ('job-789', REPEAT('x', 256), 'h', 1), ('7', NULL, NULL, 1)`,
      /backup_target_id: is NULL in 1 row.*host: is NULL in 1.*more than 255 characters in 1.*jobid: is not a whole number in 1/,
    ],
    [
      'the table of another program',
      `CREATE TABLE ${TABLE} (id VARCHAR(36) PRIMARY KEY, job_id VARCHAR(36), action VARCHAR(20), status VARCHAR(20))`,
      /is not a ledger of the Python system \(it has no column jobid.*RENAME TABLE/,
    ],
    [
      'a column that has to be given at each insert',
      `${PYTHON_TABLE}; ALTER TABLE ${TABLE} ADD COLUMN owner VARCHAR(20) NOT NULL`,
      /column owner: is unknown here.*give it a default/,
    ],
    [
      'all that is in the way at once',
      `CREATE TABLE ${TABLE} (jobid VARCHAR(36), backup_target_id TEXT, host TEXT, mounted BOOLEAN, owner TEXT NOT NULL);
       INSERT INTO ${TABLE} VALUES ('job-789', 't', 'h', 1, 'o'), ('job-789', 't', 'h', 0, 'o');
       CREATE TABLE nodes (id INT, name TEXT)`,
      /table nodes: [^]*column owner: is unknown here[^]*jobid: is not a whole number in 2 [^]*1 job\(s\) have several rows/,
    ],
    [
      'tables of strangers',
      `${PYTHON_TABLE}; CREATE TABLE nodes (id INT, name TEXT)`,
      /table nodes: belongs to another program/,
    ],
  ])('refuses %s, says what to do, and changes nothing', async (_what, sql, text) => {
    const other = await connect();
    await other.query(sql);
    const before = await rows(`SHOW CREATE TABLE ${TABLE}`);
    expect((await plan()).problems.join(' ')).toMatch(text);
    const error = await failure(migrate());
    expect(error).toMatchObject({ code: 'CONFLICT', message: expect.stringMatching(text) as string });
    expect(await rows(`SHOW CREATE TABLE ${TABLE}`)).toEqual(before);
    await other.query(`DROP TABLE ${TABLE}`);
  });

  it('says which right is missing', async () => {
    await connection.query(PYTHON_TABLE);
    await connection.query(`CREATE USER reader_${name}@'127.0.0.1' IDENTIFIED BY 'secret-1'`);
    try {
      await connection.query(
        `GRANT SELECT, INSERT, UPDATE, DELETE ON ${name}.* TO reader_${name}@'127.0.0.1'`,
      );
      const address = new URL(url());
      address.username = `reader_${name}`;
      address.password = 'secret-1';
      const error = await failure(migrate(address.href));
      expect(error).toMatchObject({
        code: 'FORBIDDEN',
        message: expect.stringContaining('GRANT ALTER') as string,
      });
      expect(error.message).not.toContain('secret-1');
      // What is up to date needs no rights.
      await migrate();
      expect(await migrate(address.href)).toEqual([]);
    } finally {
      await connection.query(`DROP USER reader_${name}@'127.0.0.1'`);
    }
  });

  it('lets each transaction of the Python client end in peace, whatever it alters, and waits for it', async () => {
    await connection.query(PYTHON_TABLE);
    const python = new PythonLedger(await connect());
    const attempts = async (): Promise<number> => {
      const [row] = await rows(`SHOW GLOBAL STATUS LIKE 'Com_alter_table'`);
      return Number(row.Value);
    };
    const waiting = async (): Promise<boolean> =>
      (
        await rows(
          `SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '${name}' AND STATE LIKE '%metadata lock'`,
        )
      ).length > 0;
    await python.active('t', 'h');
    let done = false;
    const migrating = migrate().finally(() => (done = true));
    const written: number[] = [];
    const writing = async (): Promise<void> => {
      for (let jobid = 1; !done; jobid += 1) {
        // It has met an open transaction: it is tried over and over (more often than other tables are altered), or waits.
        const first = await attempts();
        const met = async () => done || (await attempts()) > first + 5 || (await waiting());
        await waitFor(met, { timeoutMs: 30_000, intervalMs: 2, what: 'an ALTER to meet it, or the end' });
        if (jobid === 1) expect(done).toBe(false);
        await python.mounted(jobid, 't', 'h');
        written.push(jobid);
        // The next transaction begins at once: an ALTER that slips in between has it wait, and the next ALTER meets it.
        await python.active('t', 'h');
      }
      await python.rollback();
    };
    await Promise.all([migrating, writing()]);
    expect(
      (await rows(`SELECT jobid FROM ${TABLE} WHERE mounted ORDER BY jobid`)).map((row) => Number(row.jobid)),
    ).toEqual(written);
    await python.active('t', 'h');
    await python.unmounted(1, 't', 'h');
    await python.active('t', 'h');
    await python.mounted(-1, 't', 'h');
    expect(await rows(`SELECT jobid, mounted, deleted FROM ${TABLE} WHERE jobid < 2 ORDER BY jobid`)).toEqual(
      [
        { jobid: -1, mounted: 1, deleted: 0 },
        { jobid: 1, mounted: 0, deleted: 0 },
      ],
    );
  });

  it('goes on under Python clients that write all the time: no error, and no write is lost', async () => {
    await connection.query(PYTHON_TABLE);
    await connection.query(
      `INSERT INTO ${TABLE} (jobid, backup_target_id, host, mounted) SELECT seq, 't', 'h', 1 FROM seq_1_to_20000`,
    );
    const connections = await Promise.all(Array.from({ length: 3 }, () => connect()));
    const writers = new PythonWriters(connections, 1_000_000, 'busy', 'h');
    const moreThan = (count: number) =>
      waitFor(() => writers.count > count, { timeoutMs: 30_000, what: 'the clients to write' });
    await moreThan(20);
    const [first, second] = await Promise.all([migrate(), migrate()]);
    expect([first.length, second.length].sort((a, b) => a - b)[0]).toBe(0);
    await moreThan(writers.count + 20);
    const written = await writers.stop();
    expect(
      await rows(`SELECT jobid, mounted FROM ${TABLE} WHERE backup_target_id = 'busy' ORDER BY jobid`),
    ).toEqual(written);
    expect(await rows(`SELECT COUNT(*) AS n FROM ${TABLE}`)).toEqual([{ n: 20_000 + written.length }]);
  });

  it('goes on where it was interrupted, and does nothing the second time', async () => {
    await connection.query(PYTHON_TABLE);
    await connection.query(
      `INSERT INTO ${TABLE} (jobid, backup_target_id, host, mounted) SELECT seq, 't', 'h', 1 FROM seq_1_to_20000`,
    );
    const before = await rows(BYTES);
    const killed = migrate();
    const killing = waitFor(
      async () => {
        const running = await rows(
          `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = '${name}' AND INFO LIKE 'ALTER%'`,
        );
        for (const { id } of running) await connection.query(`KILL ${Number(id)}`).catch(() => undefined);
        return running.length > 0;
      },
      { timeoutMs: 30_000, intervalMs: 1, what: 'the ALTER to run' },
    );
    expect((await failure(killed)).code).not.toBe('none');
    await killing;
    expect(await rows(BYTES)).toEqual(before);
    // As if the process had ended between a change and the note that it was made.
    const all = await migrate();
    await connection.query('DELETE FROM dms_migrations');
    expect(await migrate()).toEqual(all);
    expect(await migrate()).toEqual([]);
    expect(await rows(BYTES)).toEqual(before);
  });

  it('is told by the command, which changes nothing when it is asked to only look', async () => {
    await connection.query(PYTHON_TABLE);
    await connection.query(
      `INSERT INTO ${TABLE} (jobid, backup_target_id, host, mounted) VALUES (1, 't', 'h', 1)`,
    );
    const before = await rows(`SHOW CREATE TABLE ${TABLE}`);
    const dms = async (...args: string[]): Promise<string> =>
      (
        await runCommand(process.execPath, [PROGRAMS.cli, 'migrate', ...args], {
          timeoutMs: 60_000,
          environment: cleanEnvironment({ DMS_DB_URL: url(), DMS_RABBITMQ_URL: String(rig.brokerUrl) }),
        })
      ).stdout;
    expect(await dms('--dry-run')).toMatch(
      /would be run: Ledger\d+.* taken over with its 1 row\(s\), of which 1 are mounted/s,
    );
    expect(await rows(`SHOW CREATE TABLE ${TABLE}`)).toEqual(before);
    expect(JSON.parse(await dms('--dry-run', '--format', 'json'))).toMatchObject({
      takeover: { rows: 1 },
      problems: [],
    });
    expect(await dms()).toContain('These migrations were run');
    expect(await dms('--dry-run')).toBe('The schema is up to date.\n');
  });
});
