import { type RowDataPacket } from 'mysql2/promise';
import { describeOnClusters } from '../e2e/on-rig';
import { connect } from 'amqplib';
import { type GaleraNode, type RabbitMq, Rig, waitFor } from '../rig';

const TIMEOUT_MS = 240_000;
const CHANGE_MS = 60_000;

// On a rig of its own: its nodes are killed.
describeOnClusters('the clusters of the rig', () => {
  let rig: Rig;

  beforeAll(async () => {
    rig = await Rig.start({ parts: ['database', 'broker'], clusters: true });
  }, TIMEOUT_MS);

  afterAll(async () => {
    // Undefined where the start failed; that is what the report tells then.
    await (rig as Rig | undefined)?.stop();
  });

  it(
    'A database node that was killed, stopped, paused or cut off has every row when it is back.',
    async () => {
      const [first, second, third] = rig.databaseCluster.nodes;
      await first.query('CREATE TABLE words (word VARCHAR(20) PRIMARY KEY)');
      await write(first, 'together');
      expect(await wordsOf(third)).toEqual(['together']);

      await third.kill();
      await write(first, 'third killed');
      await third.start();
      await second.stop();
      await write(first, 'second stopped');
      await second.start();
      first.pause();
      await write(third, 'first paused');
      first.resume();
      await rig.databaseCluster.whole();
      await second.isolate();
      await expect(write(second, 'alone')).rejects.toThrow('WSREP has not yet prepared node');
      await write(first, 'second cut off');
      await second.rejoin();
      await rig.databaseCluster.whole();

      const all = ['first paused', 'second cut off', 'second stopped', 'third killed', 'together'];
      for (const node of rig.databaseCluster.nodes) expect(await wordsOf(node)).toEqual(all);
    },
    TIMEOUT_MS,
  );

  it(
    'The database cluster comes back with its rows after a power cut, and after an orderly stop.',
    async () => {
      await rig.database.query('CREATE TABLE kept (word VARCHAR(20) PRIMARY KEY)');
      await rig.database.query("INSERT INTO kept VALUES ('kept')");
      await rig.databaseCluster.kill();
      await rig.databaseCluster.start();
      await rig.databaseCluster.stop();
      await rig.databaseCluster.start();
      for (const node of rig.databaseCluster.nodes) {
        expect(await node.status('wsrep_cluster_size')).toBe('3');
        expect(await node.query<RowDataPacket[]>('SELECT word FROM kept')).toEqual([{ word: 'kept' }]);
      }
    },
    TIMEOUT_MS,
  );

  it(
    'A broker that was killed or cut off is part of the cluster again when it is back.',
    async () => {
      const [first, second, third] = rig.brokerCluster.nodes;
      await third.kill();
      await expect(declare(third, 'nobody')).rejects.toThrow();
      await declare(first, 'third-killed');
      await third.start();
      await waitFor(async () => (await third.queues()).some(({ name }) => name === 'third-killed'), {
        timeoutMs: CHANGE_MS,
        what: 'the queue to be seen on the third broker',
      });

      await rig.brokerCluster.isolate(first);
      // A minority pauses: it closes its listener.
      await waitFor(
        () =>
          declare(first, 'alone').then(
            () => false,
            () => true,
          ),
        {
          timeoutMs: CHANGE_MS,
          what: 'the broker that was cut off to pause',
        },
      );
      await declare(second, 'first-cut-off');
      await rig.brokerCluster.rejoin(first);
      expect((await first.queues()).map(({ name }) => name)).toContain('first-cut-off');
    },
    TIMEOUT_MS,
  );

  it(
    'The broker cluster comes back with its durable queues after a power cut.',
    async () => {
      await declare(rig.broker, 'durable');
      await rig.brokerCluster.kill();
      await rig.brokerCluster.start();
      expect((await rig.broker.queues()).map(({ name }) => name)).toContain('durable');
    },
    TIMEOUT_MS,
  );
});

async function write(node: GaleraNode, word: string): Promise<void> {
  await node.query('INSERT INTO words VALUES (?)', [word]);
}

/** The node is asked for what the cluster has, not for what it has applied. */
async function wordsOf(node: GaleraNode): Promise<string[]> {
  await node.query('SET GLOBAL wsrep_sync_wait = 1', [], null);
  const rows = await node.query<RowDataPacket[]>('SELECT word FROM words ORDER BY word');
  return rows.map(({ word }) => word as string);
}

async function declare(broker: RabbitMq, queue: string): Promise<void> {
  const connection = await connect(broker.url, { timeout: 5_000 });
  connection.on('error', () => undefined);
  try {
    const channel = await connection.createChannel();
    await channel.assertQueue(queue, { durable: true });
  } finally {
    await connection.close();
  }
}
