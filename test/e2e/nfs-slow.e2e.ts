import { setTimeout as sleep } from 'node:timers/promises';
import { NfsFleet, type NfsTarget } from '../fleet/nfs-fleet';
import { SlowProxy } from '../fleet/slow-proxy';
import { describeOnNfsRig } from './on-rig';

/** Shorter than each of the times below, and so long that no question of two calls is through in its time. */
const REPLY_MS = 1_200;
const PROBE_SECONDS = 2;
const SILENCE_SECONDS = 2;
const MOUNT_SECONDS = 4;
const READY_LIMIT_MS = 30_000;

describeOnNfsRig('an NFS server whose replies take long', (rig) => {
  let fleet: NfsFleet;
  let proxy: SlowProxy;

  beforeAll(async () => {
    fleet = await NfsFleet.start(rig, {
      nodeSettings: {
        DMS_PROBE_TIMEOUT: String(PROBE_SECONDS),
        DMS_NFS_SILENCE: String(SILENCE_SECONDS),
        DMS_MOUNT_TIMEOUT: String(MOUNT_SECONDS),
      },
      clientSettings: { DMS_SETTLE_INTERVAL: '1' },
    });
  });
  afterEach(async () => {
    await proxy?.stop();
  });
  afterAll(() => fleet?.stop());

  /** A new export behind a proxy. */
  async function slowTarget(name: string): Promise<NfsTarget> {
    const [target] = await fleet.targets(1, name);
    proxy = await SlowProxy.start(fleet.server.port);
    return { ...target, server: proxy };
  }

  it('has no mount in doubt, serves further jobs, and is called slow in the log', async () => {
    const target = await slowTarget('slow');
    await fleet.mountsWithin(READY_LIMIT_MS, 1, target);
    proxy.delayMs = REPLY_MS;
    const states = new Set<string | undefined>();
    for (const end = Date.now() + 25_000; Date.now() < end; await sleep(250)) {
      states.add(await fleet.state(target));
    }
    expect([...states]).toEqual(['MOUNTED']);
    expect((await fleet.mount(2, target)).body).toMatchObject({ status: 'success', reused_existing: true });
    expect(await fleet.node.log()).toMatch(
      /An NFS server answers slowly.*within (DMS_NFS_SILENCE \(2 s\)|2 s)/,
    );
    proxy.delayMs = 0;
    await fleet.unmount(1, target);
    expect((await fleet.unmount(2, target)).body).toMatchObject({ unmounted: true, error_code: null });
  });

  it('fails a mount that takes too long, names the setting that ended it, and leaves nothing', async () => {
    const target = await slowTarget('late');
    proxy.delayMs = REPLY_MS;
    const { body } = await fleet.mount(3, target);
    expect(body).toMatchObject({ status: 'error', error_code: 'MOUNT_FAILED' });
    expect(body.error_msg).toContain(`could not be mounted within DMS_MOUNT_TIMEOUT (${MOUNT_SECONDS} s)`);
    proxy.delayMs = 0;
    await fleet.leavesNothing(target);
  });
});
