import { setTimeout as sleep } from 'node:timers/promises';
import { HealthLog } from '../fleet/health-log';
import { NfsFleet, type NfsTarget } from '../fleet/nfs-fleet';
import { describeOnNfsRig } from '../e2e/on-rig';
import { timed } from '../e2e/timed';

const ROUNDS = 3;
/** Each round starts programs in a guest, on the one processor that it has. */
const TEST_LIMIT_MS = 300_000;
const MOUNT_SECONDS = 20;
/** A guest has one processor: what is measured is the hang, not a crowd. */
const BETWEEN_TRIES_MS = 6_000;

describeOnNfsRig('the neighbours of an NFS server that hangs', (rig) => {
  let fleet: NfsFleet;

  beforeAll(async () => {
    fleet = await NfsFleet.start(rig, {
      servers: 2,
      nodeSettings: {
        DMS_MOUNT_TIMEOUT: String(MOUNT_SECONDS),
        DMS_PROBE_TIMEOUT: '5',
        DMS_NFS_SILENCE: '3',
        DMS_NFS_SERVER_PAUSE: '1',
      },
      clientSettings: { DMS_SETTLE_INTERVAL: '1' },
    });
  });
  afterAll(() => fleet?.stop());

  /** Milliseconds of mounts and unmounts of an export, one after the other. */
  const cycles = async (target: NfsTarget): Promise<number[]> => {
    const took: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const action of ['mount', 'unmount'] as const) {
        const { result, ms } = await timed(fleet[action](1, target));
        expect({ error_msg: null, ...result.body }).toMatchObject({
          status: 'success',
          error_msg: null,
          physically_mounted: action === 'mount',
        });
        took.push(ms);
      }
    }
    return took;
  };
  /** Asks for a mount again and again, and gives the errors. */
  const refusedMounts = async (target: NfsTarget, end: AbortSignal): Promise<unknown[]> => {
    const codes: unknown[] = [];
    while (!end.aborted) {
      codes.push((await fleet.mount(3, target)).body.error_code);
      await sleep(BETWEEN_TRIES_MS);
    }
    return codes;
  };
  const p99 = (took: readonly number[]): number =>
    Math.round(took.toSorted((a, b) => a - b)[Math.ceil(took.length * 0.99) - 1]);

  it(
    'are mounted and unmounted as ever, also one that the node has never mounted; the health port answers',
    async () => {
      const [healthy] = await fleet.targets(1, 'healthy', fleet.servers[1]);
      const [standing, ...others] = await fleet.targets(4, 'hung');
      expect((await fleet.mount(2, standing)).body).toMatchObject({ status: 'success' });
      fleet.server.pause();
      const health = await HealthLog.start(fleet.node);
      const end = new AbortController();
      const trouble = Promise.all(others.map((target) => refusedMounts(target, end.signal)));
      const beside = await cycles(healthy).finally(() => end.abort());
      const refusals = (await trouble).flat();
      fleet.server.resume();
      await fleet.mountsWithin(3 * MOUNT_SECONDS * 1000, 3, others[0]);
      const alone = await cycles(healthy);

      expect(refusals.length).toBeGreaterThan(0);
      expect(new Set(refusals)).toEqual(new Set(['MOUNT_FAILED']));
      expect(p99(beside)).toBeLessThan(3 * MOUNT_SECONDS * 1000);
      const answers = await health.stop();
      expect(answers.length).toBeGreaterThan(10);
      expect(new Set(answers)).toEqual(new Set(['200']));
      console.log(
        `p99 of ${2 * ROUNDS} mounts and unmounts: ${p99(alone)} ms alone, ${p99(beside)} ms beside a server that hangs ` +
          `(${refusals.length} mounts of it were refused meanwhile)`,
      );
    },
    TEST_LIMIT_MS,
  );
});
