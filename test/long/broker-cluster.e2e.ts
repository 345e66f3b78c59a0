import { describeOnClusters } from '../e2e/on-rig';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { PROGRAMS } from '../fleet/programs';
import { type RabbitMq, Rig, type RigAddresses, runCommand, waitFor } from '../rig';

const START_MS = 240_000;
/** A client retries while its answer says that nothing happened: the programs connect to the next broker within seconds. */
const GOES_ON_MS = 30_000;
/** Promised: the queue is consumed again within 10 s of its broker's return. Asserted at three times that. */
const TAKEN_UP_MS = 30_000;
const POLICY = ['set_policy', 'ha', '^dms\\.', '{"ha-mode":"all","ha-sync-mode":"automatic"}'];

// On brokers of its own, which are killed.
describeOnClusters('a broker cluster', (shared: RigAddresses) => {
  let rig: Rig;
  let fleet: Fleet;
  let jobs: Jobs;
  let home: RabbitMq;

  beforeAll(async () => {
    rig = await Rig.start({ parts: ['broker'], clusters: true });
    const clusterUrls = { broker: rig.brokerCluster.urls, database: [String(shared.databaseUrl)] };
    fleet = await Fleet.start({ ...shared, brokerUrl: rig.broker.url, clusterUrls });
    await fleet.acquainted();
    jobs = new Jobs(fleet);
    [home] = rig.brokerCluster.nodes;
  }, START_MS);

  afterAll(async () => {
    await fleet?.stop();
    await (rig as Rig | undefined)?.stop();
  });

  const legacyQueueUp = async (): Promise<boolean> => {
    const page = await (await fetch(new URL('/metrics', fleet.node.healthUrl))).text();
    return /^dms_node_legacy_queue_up\S* 1$/m.test(page);
  };
  const isLost = async (): Promise<boolean> => {
    const { body } = await fleet.api.get<{ legacy_queue_lost: boolean }>(`/api/v1/nodes/${fleet.node.host}`);
    return body.legacy_queue_lost;
  };
  const until = (what: string, isSo: () => Promise<boolean>, timeoutMs = GOES_ON_MS): Promise<unknown> =>
    waitFor(() => isSo().catch(() => false), { timeoutMs, what, intervalMs: 200 });
  const mountsAgain = async (jobid: number, name: string) => {
    const target = await fleet.targets.s3(name);
    await until(
      'a mount to succeed',
      async () => (await jobs.mount(jobid, target)).body.status === 'success',
    );
    expect((await jobs.unmount(jobid, target)).body).toMatchObject({ unmounted: true });
  };
  /** `dms` as a process of its own, which has heard no hello when it begins. */
  const dms = async (...args: string[]): Promise<string> => {
    const { environment } = fleet.clients[0];
    const command = [PROGRAMS.cli, ...args];
    return (await runCommand(process.execPath, command, { environment, timeoutMs: GOES_ON_MS })).stdout;
  };

  it(
    'A node serves on while the broker that hosts dms.<host> is down, tells the loss, and takes the queue up again.',
    async () => {
      await mountsAgain(1, 'before');
      await home.kill();
      await mountsAgain(2, 'down');
      await until('the loss to be told', isLost);
      expect(await fleet.node.ready()).toBe(true);
      expect(await legacyQueueUp()).toBe(false);
      expect(await fleet.node.log()).toMatch(/queue dms\.\S+ is lost: .*rabbitmqctl set_policy ha/);
      const { host } = fleet.node;
      expect(await dms('nodes')).toContain(`has lost the queue dms.${host}`);
      const shown = JSON.parse(await dms('nodes', host, '--format', 'json')) as Record<string, unknown>;
      expect(shown).toMatchObject({ error_code: null, inventory: { mounts: [] } });

      await home.start();
      await until('the queue to be consumed again', legacyQueueUp, TAKEN_UP_MS);
      await until('the loss to be over', async () => !(await isLost()));
      await mountsAgain(3, 'back');
    },
    START_MS,
  );

  it(
    'The documented policy keeps dms.<host> when its broker stops.',
    async () => {
      await home.ctl(POLICY);
      try {
        const queue = `dms.${fleet.node.host}`;
        await until('the queue to be mirrored', async () => {
          const text = await home.ctl([
            'list_queues',
            '--formatter',
            'json',
            'name',
            'synchronised_slave_pids',
          ]);
          const queues = JSON.parse(text) as { name: string; synchronised_slave_pids: unknown }[];
          const found = queues.find(({ name }) => name === queue);
          return Array.isArray(found?.synchronised_slave_pids) && found.synchronised_slave_pids.length === 2;
        });
        await home.kill();
        await until('the queue to be consumed on another broker', legacyQueueUp);
        await mountsAgain(4, 'mirrored');
      } finally {
        await home.start();
        await home.ctl(['clear_policy', 'ha']);
      }
    },
    START_MS,
  );
});
