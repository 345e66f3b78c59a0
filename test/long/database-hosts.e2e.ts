import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { createConnection } from 'mysql2/promise';
import { type DataSource } from 'typeorm';
import { MigrateService } from '../../apps/dms-client/src/ledger/migrate.service';
import { poolOf } from '../../apps/dms-client/src/ledger/failover-pool';
import { ledgerError } from '../../apps/dms-client/src/ledger/ledger-errors';
import { databaseAddress, onLedgerSource } from '../fleet/ledger-source';
import { type GaleraNode, Rig, waitFor } from '../rig';
import { describeOnClusters } from '../e2e/on-rig';

const START_MS = 240_000;
/** Promised: dms-client uses the next server within 10 s. Asserted at three times that. */
const MOVED_MS = 30_000;
const WHOLE_MS = 60_000;

// On a rig of its own: its nodes are killed.
describeOnClusters('several database hosts', () => {
  let rig: Rig;
  let name: string;

  beforeAll(async () => {
    rig = await Rig.start({ parts: ['database'], clusters: true });
    Logger.overrideLogger(false);
  }, START_MS);

  afterAll(async () => {
    // Undefined where the start failed; that is what the report tells then.
    await (rig as Rig | undefined)?.stop();
  });

  beforeEach(async () => {
    name = `hosts_${randomUUID().slice(0, 8)}`;
    const connection = await createConnection(nodes()[0].url);
    await connection.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
    await connection.end();
  }, WHOLE_MS);

  const nodes = (): readonly GaleraNode[] => rig.databaseCluster.nodes;
  const urlsOf = (...some: readonly GaleraNode[]): string =>
    some.map(({ url }) => databaseAddress(url, name)).join(',');
  const portOf = async (source: DataSource): Promise<number> =>
    Number((await source.query<{ port: number }[]>('SELECT @@port AS port'))[0].port);
  const portIn = (node: GaleraNode): number => Number(new URL(node.url).port);
  const write = (source: DataSource): Promise<unknown> =>
    source.query('INSERT INTO words VALUES (?)', [randomUUID().slice(0, 20)]);
  /** Resolves when a write succeeds, and returns the port of its server. */
  const written = async (source: DataSource): Promise<number> => {
    await waitFor(
      () =>
        write(source).then(
          () => true,
          (error: unknown) => {
            expect(ledgerError(error).code).toBe('LEDGER_UNAVAILABLE');
            return false;
          },
        ),
      { timeoutMs: MOVED_MS, what: 'a write to succeed', intervalMs: 100 },
    );
    return portOf(source);
  };

  interface Fault {
    readonly name: string;
    readonly cause: (node: GaleraNode) => Promise<unknown>;
    readonly mend: (node: GaleraNode) => Promise<unknown>;
  }
  const FAULTS: Fault[] = [
    {
      name: 'leaves the primary component',
      cause: (node) => node.isolate(),
      mend: (node) => node.rejoin(),
    },
    { name: 'is killed', cause: (node) => node.kill(), mend: (node) => node.start() },
    { name: 'is shut down', cause: (node) => node.stop(), mend: (node) => node.start() },
    {
      name: 'hangs',
      cause: (node) => Promise.resolve(node.pause()),
      mend: (node) => Promise.resolve(node.resume()),
    },
    {
      name: 'rejects all queries',
      cause: (node) => node.query("SET GLOBAL wsrep_reject_queries = 'ALL'"),
      mend: (node) => node.query("SET GLOBAL wsrep_reject_queries = 'NONE'"),
    },
  ];

  it.each(FAULTS)(
    'dms-client uses the next server when its server $name, and does not go back by itself.',
    async ({ cause, mend }) => {
      const [first, second] = nodes();
      await onLedgerSource(urlsOf(first, second), async (source) => {
        await source.query('CREATE TABLE words (word VARCHAR(20) PRIMARY KEY)');
        expect(await portOf(source)).toBe(portIn(first));
        await cause(first);
        try {
          expect(await written(source)).toBe(portIn(second));
          expect(await poolOf(source).check()).toBe(`127.0.0.1:${portIn(second)}`);
        } finally {
          await mend(first);
          await rig.databaseCluster.whole();
        }
        expect(await written(source)).toBe(portIn(second));
      });
    },
    START_MS,
  );

  it(
    'dms-client starts with the second server while the first one is down.',
    async () => {
      const [first, second] = nodes();
      await first.stop();
      try {
        await onLedgerSource(urlsOf(first, second), async (source) => {
          expect(await portOf(source)).toBe(portIn(second));
        });
      } finally {
        await first.start();
        await rig.databaseCluster.whole();
      }
    },
    START_MS,
  );

  it(
    'Two migrations that start at once on two servers of a cluster run one after the other.',
    async () => {
      const [first, second] = nodes();
      const migrate = (node: GaleraNode): Promise<string[]> =>
        onLedgerSource(urlsOf(node), (source) => new MigrateService(source).migrate());
      const runs = await Promise.all([migrate(first), migrate(second)]);
      const [none, all] = runs.map((run) => run.length).sort((a, b) => a - b);
      expect(none).toBe(0);
      expect(all).toBeGreaterThan(5);
    },
    START_MS,
  );
});
