import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { type Hello, makeKeyPair, Secret } from '@app/contracts';
import { createConnection } from 'mysql2/promise';
import { type DataSource } from 'typeorm';
import { createDataSource } from '../../apps/dms-client/src/ledger/data-source';
import { MigrateService } from '../../apps/dms-client/src/ledger/migrate.service';
import { NodePinsRepository } from '../../apps/dms-client/src/nodes/node-pins.repository';
import { describeOnRig } from './on-rig';

const CLIENTS = 4;
const HELLOS_EACH = 5;

describeOnRig('the pinned keys of a node', (rig) => {
  const name = `pins_${randomUUID().slice(0, 8)}`;
  const sources: DataSource[] = [];

  const administer = async (sql: string): Promise<void> => {
    const connection = await createConnection(String(rig.databaseUrl));
    await connection.query(sql);
    await connection.end();
  };

  beforeAll(async () => {
    Logger.overrideLogger(false);
    await administer(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
    const url = new URL(String(rig.databaseUrl));
    url.pathname = `/${name}`;
    for (let client = 0; client < CLIENTS; client += 1) {
      const settings = { databaseUrl: new Secret(url.href), databasePool: HELLOS_EACH, databaseCaFile: null };
      sources.push(await createDataSource(settings).initialize());
    }
    await new MigrateService(sources[0]).migrate();
  });
  afterAll(async () => {
    await Promise.all(sources.map((source) => source.destroy()));
    await administer(`DROP DATABASE ${name}`);
  });

  const hello = async (node: string): Promise<Hello> => ({
    ...{ node, incarnation: 'memory-1', boot_id: 'boot-1', protocol: 1, version: '1', bases: [] },
    ...{ mount_table_version: 1 },
    public_key: (await makeKeyPair('X25519')).publicKey,
    signing_key: (await makeKeyPair('Ed25519')).publicKey,
  });

  it.each(['new', 'known'])('are one, whatever many clients hear at once of a %s node', async (node) => {
    if (node === 'known') await sources[0].query(`INSERT INTO nodes (host, state) VALUES (?, 'up')`, [node]);
    const repositories = sources.map((source) => new NodePinsRepository(source));
    const heard = await Promise.all(
      Array.from({ length: CLIENTS * HELLOS_EACH }, async (_, index) => {
        const said = await hello(node);
        return { said, client: repositories[index % CLIENTS] };
      }),
    );
    const verdicts = await Promise.all(heard.map(({ said, client }) => client.judge(said)));
    expect(verdicts.map(({ kind }) => kind).sort()).toEqual([
      'pin',
      ...Array.from({ length: CLIENTS * HELLOS_EACH - 1 }, () => 'refuse'),
    ]);
    const pinned = heard[verdicts.findIndex(({ kind }) => kind === 'pin')].said;
    expect((await repositories[0].find(node))?.pinned).toMatchObject({ key_id: pinned.signing_key?.kid });
    const again = await Promise.all(heard.map(({ client }) => client.judge(pinned)));
    expect(new Set(again.map(({ kind }) => kind))).toEqual(new Set(['fits']));
  });
});
