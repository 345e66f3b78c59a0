import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nfsNodeKind } from '../fleet/nfs-client-kernel';
import { NfsFleet, type NfsTarget } from '../fleet/nfs-fleet';
import { describeOnNfsRig } from '../e2e/on-rig';
import { timed } from '../e2e/timed';

/** Longer than the hellos of a node may stay away, and than the lease that the NFS server grants. */
const OUTAGE_MS = 12_000;
const REQUEST_SECONDS = 10;
const BACK_MS = 45_000;
/** The silence of a server, the time between two questions, and a round of the watch. */
const NOTICE_LIMIT_MS = 3 * (3 + 4 + 1) * 1000;

describeOnNfsRig('outages of an NFS mount', (rig) => {
  let fleet: NfsFleet;
  let target: NfsTarget;

  beforeAll(async () => {
    fleet = await NfsFleet.start(rig, {
      nodeSettings: { DMS_PROBE_TIMEOUT: '3', DMS_NFS_SILENCE: '3', DMS_NFS_SERVER_PAUSE: '1' },
      clientSettings: { DMS_SETTLE_INTERVAL: '1', DMS_REQUEST_TIMEOUT: String(REQUEST_SECONDS) },
    });
    [target] = await fleet.targets(1, 'outage');
  });
  afterAll(() => fleet?.stop());
  afterEach(async () => {
    if (fleet?.node.guest?.running === false) await fleet.node.start();
  });

  const onGuest = nfsNodeKind() === 'uml' ? it : it.skip;

  onGuest.each([
    ['network is cut and restored', 'cutNetwork', 'restoreNetwork', 1],
    ['kernel is frozen and thawed', 'pause', 'resume', 11],
  ] as const)(
    'leaves mount and holds as they were when the %s (needs a guest: DMS_TEST_NFS_NODE=uml)',
    async (_, harm, remedy, jobid) => {
      const { guest } = fleet.node;
      const path = fleet.mountPath(target);
      await fleet.mountsWithin(BACK_MS, jobid, target);
      guest?.[harm]();
      await sleep(OUTAGE_MS);
      const meanwhile = await timed(fleet.mount(jobid + 1, target));
      expect(meanwhile.ms).toBeLessThan(3 * REQUEST_SECONDS * 1000);
      expect(['NODE_UNREACHABLE', 'TIMEOUT', 'BUSY']).toContain(meanwhile.result.body.error_code);
      expect((await fleet.bindings(target)).filter((state) => state === 'held')).toHaveLength(1);
      guest?.[remedy]();
      await fleet.mountsWithin(BACK_MS, jobid + 1, target);
      expect(await fleet.state(target)).toBe('MOUNTED');
      expect(await fleet.mounts()).toHaveLength(1);
      await fleet.node.sh(`printf ${jobid} >${path}/after`);
      expect(await readFile(join(target.directory, 'after'), 'utf8')).toBe(String(jobid));
      await fleet.unmount(jobid, target);
      // The client may have to make peace with the server first, for longer than a request waits.
      await fleet.unmount(jobid + 1, target);
      await fleet.reaches(target, 'ABSENT', BACK_MS);
    },
  );

  onGuest(
    'makes a job lose its hold when the node loses its power, and mounts anew when it is back',
    async () => {
      const { guest } = fleet.node;
      await fleet.mountsWithin(BACK_MS, 31, target);
      await guest?.cutPower();
      // Until a node has missed its hellos, what it said last is believed.
      await sleep(OUTAGE_MS);
      const meanwhile = await timed(fleet.mount(32, target));
      expect(meanwhile.ms).toBeLessThan(3 * REQUEST_SECONDS * 1000);
      expect(meanwhile.result.body.status).toBe('error');
      await fleet.node.stop();
      await fleet.node.start();
      await fleet.mountsWithin(BACK_MS, 32, target);
      expect(await fleet.mounts()).toHaveLength(1);
      expect(await fleet.bindings(target)).toEqual(expect.arrayContaining(['lost', 'held']));
      expect((await fleet.unmount(32, target)).body).toMatchObject({ unmounted: true });
    },
  );

  it('makes a mount BROKEN whose export was removed; its holder has lost it; a new one waits for its users to go', async () => {
    await fleet.mountsWithin(BACK_MS, 21, target);
    const { node, server } = fleet;
    const path = fleet.mountPath(target);
    const user = (await node.sh(`cd ${path} && { sleep 600 >/dev/null 2>&1 & echo $!; }`)).output.trim();
    await server.stop();
    await server.removeExport(target.id);
    await server.addExport(target.id);
    await server.start();
    await fleet.reaches(target, 'BROKEN', NOTICE_LIMIT_MS);
    expect(await fleet.bindings(target)).toContain('lost');
    expect((await fleet.mount(22, target)).body).toMatchObject({ status: 'error', error_code: 'BUSY' });
    await node.sh(`kill ${user}`);
    await fleet.mountsWithin(BACK_MS, 22, target);
    await node.sh(`printf new >${path}/new`);
    expect(await readFile(join(target.directory, 'new'), 'utf8')).toBe('new');
    expect((await fleet.unmount(22, target)).body).toMatchObject({ unmounted: true });
    await fleet.leavesNothing(target);
  });
});
