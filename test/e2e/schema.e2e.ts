import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { createDataSource } from '../../apps/dms-client/src/ledger/data-source';
import { MigrateService } from '../../apps/dms-client/src/ledger/migrate.service';
import { Secret } from '@app/contracts';
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

  const migrate = async (): Promise<string[]> => {
    const url = new URL(String(rig.databaseUrl));
    url.pathname = `/${name}`;
    const source = createDataSource({
      databaseUrl: new Secret(url.href),
      databasePool: 5,
      databaseCaFile: null,
    });
    await source.initialize();
    try {
      return await new MigrateService(source).migrate();
    } finally {
      await source.destroy();
    }
  };
  const rows = async (sql: string): Promise<RowDataPacket[]> =>
    (await connection.query<RowDataPacket[]>(sql))[0];

  it('is what migrations/schema.sql says (npm run schema writes it)', async () => {
    await migrate();
    const tables = (await rows('SHOW TABLES'))
      .map((row) => String(Object.values(row)[0]))
      .filter((t) => t !== 'dms_migrations');
    const creates = await Promise.all(
      tables
        .sort()
        .map(async (table) => String((await rows(`SHOW CREATE TABLE ${table}`))[0]['Create Table'])),
    );
    const schema = `-- Made from the migrations by \`npm run schema\`.\n\n${creates.map((sql) => `${sql.replace(/ AUTO_INCREMENT=\d+/, '')};\n`).join('\n')}`;
    if (process.env.DMS_WRITE_SCHEMA === '1') writeFileSync(SCHEMA_FILE, schema);
    expect(readFileSync(SCHEMA_FILE, 'utf8')).toBe(schema);
  });

  it('is made once by two processes that start at once', async () => {
    const runs = await Promise.all([migrate(), migrate()]);
    const [none, all] = runs.map((run) => run.length).sort((a, b) => a - b);
    expect(none).toBe(0);
    expect(all).toBe((await rows('SELECT name FROM dms_migrations')).length);
    expect(await migrate()).toEqual([]);
  });
});
