import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { MigrateService } from '../../apps/dms-client/src/ledger/migrate.service';
import { ObservedChanges } from '../../apps/dms-client/src/ledger/observed-changes';
import { readLocked } from '../../apps/dms-client/src/ledger/target-transaction';
import { type DataSource } from 'typeorm';
import { databaseAddress, onLedgerSource } from '../fleet/ledger-source';
import { ROOT } from '../fleet/programs';
import { describeOnRig } from './on-rig';

const SCHEMA_FILE = join(ROOT, 'migrations/schema.sql');

describeOnRig('the schema', (rig) => {
  const name = `schema_${randomUUID().slice(0, 8)}`;
  let connection: Connection;

  beforeEach(async () => {
    connection = await createConnection(String(rig.databaseUrl));
    await connection.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
    await connection.changeUser({ database: name });
  });
  afterEach(async () => {
    await connection.query(`DROP DATABASE ${name}`);
    await connection.end();
  });

  const onSource = <T>(work: (source: DataSource) => Promise<T>): Promise<T> =>
    onLedgerSource(databaseAddress(String(rig.databaseUrl), name), work);
  const migrate = (): Promise<string[]> => onSource((source) => new MigrateService(source).migrate());
  const rows = async (sql: string): Promise<RowDataPacket[]> =>
    (await connection.query<RowDataPacket[]>(sql))[0];

  it('is what migrations/schema.sql says (npm run schema writes it)', async () => {
    await migrate();
    const tables = (await rows('SHOW TABLES'))
      .map((row) => String(Object.values(row)[0]))
      .filter((t) => !['dms_migrations', 'dms_migration_lock'].includes(t));
    const creates = await Promise.all(
      tables
        .sort()
        .map(async (table) => String((await rows(`SHOW CREATE TABLE ${table}`))[0]['Create Table'])),
    );
    const schema = `-- Made from the migrations by \`npm run schema\`.\n\n${creates.map((sql) => `${sql.replace(/ AUTO_INCREMENT=\d+/, '')};\n`).join('\n')}`;
    if (process.env.DMS_WRITE_SCHEMA === '1') writeFileSync(SCHEMA_FILE, schema);
    expect(readFileSync(SCHEMA_FILE, 'utf8')).toBe(schema);
  });

  it('may be imported from the file: a migration takes it for what it is, and makes what stands in no file', async () => {
    const statements = readFileSync(SCHEMA_FILE, 'utf8')
      .split(/;\n/)
      .filter((sql) => /CREATE/.test(sql));
    for (const sql of statements) await connection.query(sql);
    await connection.query(
      `INSERT INTO backup_target_mount_ledger (backup_target_id, jobid, host, mounted) VALUES ('t', 1, 'h', 1)`,
    );
    expect((await migrate()).length).toBeGreaterThan(0);
    const [{ ledger_id: ledger }] = await rows('SELECT ledger_id FROM ledger_identity');
    expect(ledger).toMatch(/^[0-9a-f-]{36}$/);
    expect(await rows('SELECT id, jobid, mounted FROM backup_target_mount_ledger')).toEqual([
      { id: 1, jobid: 1, mounted: 1 },
    ]);
    const creates = await rows('SHOW CREATE TABLE target_mounts');
    expect(readFileSync(SCHEMA_FILE, 'utf8')).toContain(String(creates[0]['Create Table']));
  });

  it('is made once by two processes that start at once', async () => {
    const runs = await Promise.all([migrate(), migrate()]);
    const [none, all] = runs.map((run) => run.length).sort((a, b) => a - b);
    expect(none).toBe(0);
    expect(all).toBe((await rows('SELECT name FROM dms_migrations')).length);
    expect(await migrate()).toEqual([]);
  });

  it('has the row of a target read with the id of the ledger, and nothing but that row locked', async () => {
    await migrate();
    const [{ ledger_id: ledger }] = await rows('SELECT ledger_id FROM ledger_identity');
    expect(ledger).toMatch(/^[0-9a-f-]{36}$/);
    await onSource(async (source) => {
      const runners = [source.createQueryRunner(), source.createQueryRunner()];
      for (const [index, runner] of runners.entries()) {
        await runner.startTransaction();
        const { row } = await readLocked(
          runner,
          { host: 'compute-01', targetId: `target-${index}` },
          new ObservedChanges(),
        );
        expect(row.ledger).toBe(ledger);
      }
      await connection.query('SET SESSION innodb_lock_wait_timeout = 1');
      await connection.query('UPDATE ledger_identity SET ledger_id = UUID()');
      for (const runner of runners) {
        await runner.rollbackTransaction();
        await runner.release();
      }
    });
  });
});
