import { chmod, chown, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NfsFleet, type NfsTarget } from '../fleet/nfs-fleet';
import { waitFor } from '../rig';
import { describeOnNfsRig } from './on-rig';

const BUSY_SECONDS = 1;
/** The pause before a busy mount is tried again, and the unmount itself. */
const AGAIN_LIMIT_MS = 3 * 10_000;

describeOnNfsRig('an unmount of an NFS export', (rig) => {
  let fleet: NfsFleet;

  beforeAll(async () => {
    fleet = await NfsFleet.start(rig, {
      nodeSettings: { DMS_BUSY_TIMEOUT: String(BUSY_SECONDS) },
      clientSettings: { DMS_SETTLE_INTERVAL: '1' },
    });
  });
  afterAll(() => fleet?.stop());

  /** A new export, mounted for a job. */
  const mounted = async (jobid: number, name: string): Promise<NfsTarget> => {
    const [target] = await fleet.targets(1, name);
    await fleet.mountsWithin(AGAIN_LIMIT_MS, jobid, target);
    return target;
  };

  it('says which process works in the mount, and takes the mount away when that process has ended', async () => {
    const target = await mounted(1, 'busy');
    const path = fleet.mountPath(target);
    const script = `cd ${path}; sleep 600 >/dev/null 2>&1 </dev/null & echo $!; cd /`;
    const pid = Number((await fleet.node.sh(script)).output.trim());
    const { body } = await fleet.unmount(1, target);
    expect(body).toMatchObject({ unmounted: false, physically_mounted: true, error_code: 'BUSY' });
    expect(body.success_msg).toContain(`sleep (${pid}, ${path})`);
    expect(await fleet.state(target)).toBe('MOUNTED');
    await fleet.node.sh(`kill ${pid}`);
    await fleet.reaches(target, 'ABSENT', AGAIN_LIMIT_MS);
    await waitFor(async () => (await fleet.mounts(fleet.node, path)).length === 0, {
      timeoutMs: AGAIN_LIMIT_MS,
      what: 'the mount to be gone',
    });
  });

  it('is clean where the server lets only the owner of the directory open it, and root is nobody there', async () => {
    const [target] = await fleet.targets(1, 'private', fleet.server, { squash: 'Root_Squash' });
    await chown(target.directory, 1000, 1000);
    await chmod(target.directory, 0o700);
    // The server remembers whose the directory was.
    await fleet.server.restart();
    await fleet.mountsWithin(AGAIN_LIMIT_MS, 2, target);
    const path = fleet.mountPath(target);
    const { output } = await fleet.node.sh(
      `ls ${path} 2>&1; setpriv --reuid=1000 --clear-groups sh -c 'printf all >${path}/file' && echo written`,
    );
    expect(output).toMatch(/Permission denied[^]*written/);
    const { body } = await fleet.unmount(2, target);
    expect(body).toMatchObject({ unmounted: true, error_code: null });
    expect(await readFile(join(target.directory, 'file'), 'utf8')).toBe('all');
  });
});
