import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DeafNfsServer } from '../fleet/deaf-nfs-server';
import { DirtyFile } from '../fleet/dirty-file';
import { NfsFleet, type NfsTarget } from '../fleet/nfs-fleet';
import { describeOnNfsRig } from './on-rig';
import { timed } from './timed';

const MOUNT_SECONDS = 8;
const UNMOUNT_SECONDS = 4;
const PROBE_SECONDS = 3;
const SILENCE_SECONDS = 3;
const PAUSE_SECONDS = 2;
const CONCURRENCY = 4;

/** The mount, two seconds for the end of a killed process, and a look at what is left. */
const MOUNT_LIMIT_MS = 3 * (MOUNT_SECONDS + 2 + PROBE_SECONDS) * 1000;
/** The unmount, two seconds for the end of a killed process, and a look at what is left. */
const UNMOUNT_LIMIT_MS = 3 * (UNMOUNT_SECONDS + 2 + PROBE_SECONDS) * 1000;
/** The silence itself, the time between two questions, and a round of the watch. */
const NOTICE_LIMIT_MS = 3 * (SILENCE_SECONDS + 4 + 1) * 1000;
/** The server is tried again after its pause. */
const AGAIN_LIMIT_MS = 3 * (PAUSE_SECONDS + MOUNT_SECONDS) * 1000;

describeOnNfsRig('an NFS server that does not answer', (rig) => {
  let fleet: NfsFleet;

  beforeAll(async () => {
    fleet = await NfsFleet.start(rig, {
      nodeSettings: {
        DMS_MOUNT_TIMEOUT: String(MOUNT_SECONDS),
        DMS_UNMOUNT_TIMEOUT: String(UNMOUNT_SECONDS),
        DMS_PROBE_TIMEOUT: String(PROBE_SECONDS),
        DMS_NFS_SILENCE: String(SILENCE_SECONDS),
        DMS_NFS_SERVER_PAUSE: String(PAUSE_SECONDS),
        DMS_NFS_SERVER_CONCURRENCY: String(CONCURRENCY),
      },
      clientSettings: { DMS_SETTLE_INTERVAL: '1' },
    });
  });
  afterAll(() => fleet?.stop());
  afterEach(() => {
    if (fleet?.server.running === true) fleet.server.resume();
  });

  /** A new export, mounted for a job. */
  const mounted = async (jobid: number, name: string): Promise<NfsTarget> => {
    const [target] = await fleet.targets(1, name);
    await fleet.mountsWithin(AGAIN_LIMIT_MS, jobid, target);
    return target;
  };

  it.each([
    ['hangs', 'pause', /accepts connections and does not answer/],
    ['is dead', 'kill', /cannot be reached/],
  ] as const)('fails a mount in time where it %s, and nothing is left', async (_, harm, words) => {
    const [target] = await fleet.targets(1, `mount-${harm}`);
    await fleet.server[harm]();
    const { result, ms } = await timed(fleet.mount(1, target));
    expect({ status: result.status, code: result.body.error_code }).toEqual({
      status: 502,
      code: 'MOUNT_FAILED',
    });
    expect(result.body.error_msg).toMatch(words);
    expect(ms).toBeLessThan(MOUNT_LIMIT_MS);
    await fleet.leavesNothing(target);
    expect(await fleet.state(target)).toBe('ABSENT');
    expect(await fleet.bindings(target)).not.toContain('held');

    if (harm === 'kill') await fleet.server.start();
    else fleet.server.resume();
    await fleet.mountsWithin(AGAIN_LIMIT_MS, 1, target);
    expect((await fleet.unmount(1, target)).body).toMatchObject({ unmounted: true });
  });

  it('holds at most four children with many exports, kills them at their deadline, and fails the others at once', async () => {
    const server = await DeafNfsServer.start();
    try {
      const targets = Array.from({ length: 12 }, (_, index) => ({
        ...{ id: `deaf-${index}`, path: `/deaf-${index}`, directory: '' },
        server,
      }));
      const counts = '/run/mount-counts';
      await fleet.node.sh(
        `(while [ ! -e ${counts}.stop ]; do pgrep -c '^mount.nfs'; sleep 0.2; done >${counts} 2>&1 </dev/null &)`,
      );
      const { result, ms } = await timed(Promise.all(targets.map((target) => fleet.mount(2, target))));
      expect(ms).toBeLessThan(MOUNT_LIMIT_MS);
      expect(new Set(result.map(({ body }) => body.error_code))).toEqual(new Set(['MOUNT_FAILED']));
      const messages = result.map(({ body }) => String(body.error_msg));
      const late = messages.filter((text) =>
        /could not be mounted within DMS_MOUNT_TIMEOUT \(8 s\)/.test(text),
      ).length;
      expect(late).toBeGreaterThan(0);
      // One that comes when the first ones have run into their deadline is not tried any more.
      expect(late).toBeLessThanOrEqual(CONCURRENCY);
      expect(messages.filter((text) => /has not answered|is busy with others/.test(text))).toHaveLength(
        targets.length - late,
      );
      const { output } = await fleet.node.sh(`touch ${counts}.stop; cat ${counts}`);
      const most = Math.max(...output.trim().split('\n').map(Number));
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(CONCURRENCY);
      for (const target of targets) await fleet.leavesNothing(target);
    } finally {
      await server.stop();
    }
  });

  it('has its mounts in doubt within seconds; they are well when it is back, and no job has lost its hold', async () => {
    const target = await mounted(4, 'probe');
    fleet.server.pause();
    await fleet.reaches(target, 'UNCERTAIN', NOTICE_LIMIT_MS);
    expect(await fleet.bindings(target)).toEqual(['held']);
    const second = await timed(fleet.mount(5, target));
    expect(second.result.body).toMatchObject({ status: 'error', error_code: 'BUSY' });
    expect(second.ms).toBeLessThan(3 * PROBE_SECONDS * 1000);
    fleet.server.resume();
    await fleet.reaches(target, 'MOUNTED', NOTICE_LIMIT_MS);
    expect((await fleet.mount(5, target)).body).toMatchObject({ status: 'success', reused_existing: true });
    expect(await fleet.bindings(target)).toEqual(['held', 'held']);
    await fleet.unmount(4, target);
    expect((await fleet.unmount(5, target)).body).toMatchObject({ unmounted: true });
  });

  it('has an unmount answered in time, and the mount gone when it is back at the latest', async () => {
    const target = await mounted(6, 'unmount');
    fleet.server.pause();
    const { result, ms } = await timed(fleet.unmount(6, target));
    expect(ms).toBeLessThan(UNMOUNT_LIMIT_MS);
    expect(result.body.status).toBe('success');
    expect(await fleet.bindings(target)).toEqual(['released']);
    fleet.server.resume();
    await fleet.reaches(target, 'ABSENT', NOTICE_LIMIT_MS);
    await fleet.leavesNothing(target);
  });

  it('makes an unmount STUCK that cannot write what is left, with no more than one process; it ends with the data on the server', async () => {
    const target = await mounted(7, 'stuck');
    const file = await DirtyFile.write(fleet.node, `${fleet.mountPath(target)}/file`);
    fleet.server.pause();
    await file.leave();
    const { result, ms } = await timed(fleet.unmount(7, target));
    expect(ms).toBeLessThan(UNMOUNT_LIMIT_MS);
    expect(result.body).toMatchObject({ status: 'success', unmounted: false, error_code: 'TIMEOUT' });
    expect(await fleet.bindings(target)).toEqual(['released']);
    await fleet.reaches(target, 'STUCK', AGAIN_LIMIT_MS);
    const again = await timed(fleet.unmount(7, target));
    expect(again.ms).toBeLessThan(UNMOUNT_LIMIT_MS);
    const { output } = await fleet.node.sh(`ls -A ${fleet.node.runDirectory}/children | wc -l`);
    expect(Number(output)).toBeLessThanOrEqual(1);
    fleet.server.resume();
    await fleet.reaches(target, 'ABSENT', NOTICE_LIMIT_MS);
    await fleet.leavesNothing(target);
    expect((await stat(join(target.directory, 'file'))).size).toBe(1 << 20);
  });
});
