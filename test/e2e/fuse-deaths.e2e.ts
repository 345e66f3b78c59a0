import { setTimeout as sleep } from 'node:timers/promises';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { s3fsProcesses } from '../fleet/node-look';
import { type S3Target } from '../fleet/targets';
import { Rig, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

/** A binding is promised to be lost within 2 s of the commit. A promise is asserted at three times its value. */
const LOST_MS = 3 * 2_000;
/** The database stands still for so long. */
const FROZEN_MS = 4_000;
/** A death is promised to be known to every dms-client within 0.3 s. */
const KNOWN_MS = 3 * 300;

/** A database of this file's own, which can be frozen. */
describeOnRig('a FUSE daemon that dies', (shared) => {
  let rig: Rig;
  let fleet: Fleet;
  let jobs: Jobs;

  beforeAll(async () => {
    rig = await Rig.start({ parts: ['database'] });
    // What is noticed here is noticed by the node.
    const clientSettings = { DMS_RECONCILE_INTERVAL: '0', DMS_SETTLE_INTERVAL: '30' };
    fleet = await Fleet.start({ ...shared, databaseUrl: rig.database.url }, { clients: 2, clientSettings });
    await fleet.acquainted();
    jobs = new Jobs(fleet);
  }, 120_000);
  afterAll(async () => {
    await fleet?.stop();
    await rig?.stop();
  });

  const daemonOf = async (target: S3Target): Promise<number> => {
    await waitFor(() => s3fsProcesses(target.bucket).length === 1, { timeoutMs: 20_000, what: 'the daemon' });
    return s3fsProcesses(target.bucket)[0];
  };
  const lost = async (jobid: number, target: S3Target): Promise<void> => {
    await waitFor(async () => ['lost', 'none', 'released'].includes(await jobs.binding(jobid, target.id)), {
      timeoutMs: LOST_MS,
      intervalMs: 50,
      what: `job ${jobid} to hold nothing`,
    });
  };

  it('while the success of its mount is being written leaves no job with a mount that it believes in', async () => {
    const target = await fleet.targets.s3('frozen');
    const answers = [1, 2].map((jobid) => jobs.mount(jobid, target));
    const daemon = await daemonOf(target);
    // From here to the end of the mount the client has nothing to write.
    rig.database.pause();
    await sleep(FROZEN_MS / 2);
    process.kill(daemon, 'SIGKILL');
    await sleep(FROZEN_MS / 2);
    rig.database.resume();
    await Promise.all(answers);
    const isTrue = async (jobid: number): Promise<boolean> => {
      // A job that was not answered yet may be given a mount that was made anew.
      const hasNewMount = s3fsProcesses(target.bucket).some((pid) => pid !== daemon);
      return (await jobs.binding(jobid, target.id)) !== 'held' || hasNewMount;
    };
    await waitFor(async () => (await isTrue(1)) && (await isTrue(2)), {
      timeoutMs: LOST_MS,
      intervalMs: 50,
      what: 'no job to hold the dead mount',
    });
  }, 60_000);

  it('while the database is frozen and the mount stands makes its holders lost as soon as it goes on', async () => {
    const target = await fleet.targets.s3('stands');
    expect((await jobs.mount(1, target)).body.status).toBe('success');
    const daemon = await daemonOf(target);
    rig.database.pause();
    process.kill(daemon, 'SIGKILL');
    await sleep(FROZEN_MS);
    rig.database.resume();
    await lost(1, target);
  }, 60_000);

  it('is known to all clients at once: no job that comes after that joins the dead mount', async () => {
    const granted: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      const target = await fleet.targets.s3('joined');
      expect((await jobs.mount(1, target)).body.status).toBe('success');
      const daemon = await daemonOf(target);
      const killedAt = performance.now();
      process.kill(daemon, 'SIGKILL');
      const joins = Array.from({ length: 20 }, async (_, index) => {
        await sleep(index * 100);
        const askedAt = performance.now() - killedAt;
        const client = fleet.clients[index % 2];
        const { body } = await jobs.mount(100 + index, target, { client });
        // A new mount has a daemon of its own.
        if (
          body.status === 'success' &&
          body.reused_existing === true &&
          s3fsProcesses(target.bucket).length === 0
        )
          granted.push(askedAt);
      });
      await Promise.all(joins);
      await lost(1, target);
    }
    console.log(`joins granted on a dead mount: ${granted.map(Math.round).join(', ') || 'none'}`);
    expect(granted.filter((askedAt) => askedAt > KNOWN_MS)).toEqual([]);
  }, 180_000);
});
