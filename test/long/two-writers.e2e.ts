import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { type Hello, makeKeyPair } from '@app/contracts';
import { type RowDataPacket } from 'mysql2/promise';
import { type DataSource } from 'typeorm';
import { MigrateService } from '../../apps/dms-client/src/ledger/migrate.service';
import { NodePinsRepository } from '../../apps/dms-client/src/nodes/node-pins.repository';
import { describeOnClusters } from '../e2e/on-rig';
import { databaseAddress, onLedgerSource } from '../fleet/ledger-source';
import { brokenPromises, raceTable } from '../races/race-table';
import { runRaces } from '../races/run-races';
import { Rig, waitFor } from '../rig';

const TIMEOUT_MS = 400_000;
const PAIRS = 60;
const NODES_HEARD = 20;

describeOnClusters('two writers of one database cluster', () => {
  let rig: Rig;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    rig = await Rig.start({ clusters: true });
  }, TIMEOUT_MS);
  afterAll(async () => {
    // Undefined where the start failed; that is what the report tells then.
    await (rig as Rig | undefined)?.stop();
  });

  /** Two sources of one new database, each on a node of its own. */
  const onTwoNodes = async (work: (sources: readonly DataSource[]) => Promise<void>): Promise<void> => {
    const name = `writers_${randomUUID().slice(0, 8)}`;
    const [first, second] = rig.databaseCluster.nodes;
    await first.createDatabase(name);
    try {
      const isApplied = (): Promise<boolean> =>
        second.query('DO 0', [], name).then(
          () => true,
          () => false,
        );
      await waitFor(isApplied, { timeoutMs: 10_000, what: 'the database to be on the second node' });
      await onLedgerSource(databaseAddress(first.url, name), (one) =>
        onLedgerSource(databaseAddress(second.url, name), (other) => work([one, other])),
      );
    } finally {
      await first.dropDatabase(name);
    }
  };

  it(
    'A mount that a job was granted stands, whatever two clients on two database nodes decide at once.',
    async () => {
      const results = await runRaces(rig.addresses, 2, { seed: 11, pairs: PAIRS, lagMs: 15, parallel: 2 });
      expect({ broken: brokenPromises(results), table: raceTable(results) }).toEqual({
        broken: [],
        table: expect.any(String) as string,
      });
    },
    TIMEOUT_MS,
  );

  it(
    'Two migrations that start at once on two database nodes make the schema once, and both succeed.',
    async () => {
      await onTwoNodes(async (sources) => {
        const runs = await Promise.all(sources.map((source) => new MigrateService(source).migrate()));
        const [{ made }] = await sources[0].query<RowDataPacket[]>(
          'SELECT COUNT(*) AS made FROM dms_migrations',
        );
        expect(runs.map((run) => run.length).sort((one, other) => one - other)).toEqual([0, Number(made)]);
        expect(await new MigrateService(sources[1]).migrate()).toEqual([]);
      });
    },
    TIMEOUT_MS,
  );

  it(
    'One key is pinned for a new node, though clients on two database nodes hear two keys at once.',
    async () => {
      await onTwoNodes(async (sources) => {
        await new MigrateService(sources[0]).migrate();
        const clients = sources.map((source) => new NodePinsRepository(source));
        for (let index = 0; index < NODES_HEARD; index += 1) {
          const node = `heard-${index}`;
          const hellos = [await hello(node), await hello(node)];
          const verdicts = await Promise.all(clients.map((client, which) => client.judge(hellos[which])));
          expect(verdicts.map(({ kind }) => kind).sort()).toEqual(['pin', 'refuse']);
          const pinned = hellos[verdicts.findIndex(({ kind }) => kind === 'pin')];
          const again = await Promise.all(clients.map((client) => client.judge(pinned)));
          expect(again.map(({ kind }) => kind)).toEqual(['fits', 'fits']);
        }
      });
    },
    TIMEOUT_MS,
  );
});

async function hello(node: string): Promise<Hello> {
  return {
    ...{ node, incarnation: 'memory-1', boot_id: 'boot-1', protocol: 1, version: '1', bases: [] },
    ...{ mount_table_version: 1 },
    public_key: (await makeKeyPair('X25519')).publicKey,
    signing_key: (await makeKeyPair('Ed25519')).publicKey,
  };
}
