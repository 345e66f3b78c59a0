import { chown, mkdir, readFile, readdir, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '../rig';
import { NfsFleet, type NfsTarget } from '../fleet/nfs-fleet';
import { describeOnNfsRig } from './on-rig';

describeOnNfsRig('the main job over NFS', (rig) => {
  let fleet: NfsFleet;
  let target: NfsTarget;

  beforeAll(async () => {
    fleet = await NfsFleet.start(rig, { nodes: 2 });
    [target] = await fleet.targets(1, 'main-job');
  });
  afterAll(() => fleet?.stop());

  it('mounts the export for the first job, with the options of the request', async () => {
    const path = fleet.mountPath(target);
    const { status, body } = await fleet.mount(1, target, {
      options: 'rw,softerr,timeo=70,retrans=2,vers=4.2,noatime,rsize=65536',
    });
    expect({ status, ...body }).toMatchObject({
      status: 'success',
      success_msg: `NFS target mounted successfully at ${path}`,
      mount_path: path,
      physically_mounted: true,
      reused_existing: false,
    });
    const mounts = await fleet.mounts();
    expect(mounts).toHaveLength(1);
    const [before, after] = mounts[0].split(' - ');
    expect(after.split(' ').slice(0, 2)).toEqual(['nfs4', `${fleet.node.serverAddress}:${target.path}`]);
    const perMount = before.split(' ')[5].split(',');
    expect(perMount).toEqual(expect.arrayContaining(['rw', 'nosuid', 'nodev', 'noatime']));
    const ofServer = after.split(' ')[2].split(',');
    expect(ofServer).toEqual(
      expect.arrayContaining(['vers=4.2', 'softerr', 'timeo=70', 'retrans=2', 'rsize=65536', 'proto=tcp']),
    );
  });

  it('shares the mount with a second job, which reads from it what the first one wrote', async () => {
    const { body } = await fleet.mount(2, target);
    expect(body).toMatchObject({ status: 'success', reused_existing: true });
    expect(await fleet.mounts()).toHaveLength(1);
    const path = fleet.mountPath(target);
    await fleet.node.sh(`printf 'a backup' >${path}/backup.txt`);
    expect(await readFile(join(target.directory, 'backup.txt'), 'utf8')).toBe('a backup');
    expect((await fleet.node.sh(`cat ${path}/backup.txt`)).output).toBe('a backup');
    expect(await fleet.bindings(target)).toEqual(['held', 'held']);
  });

  it('mounts the same export on another node beside it', async () => {
    const [, node] = fleet.nodes;
    expect((await fleet.mount(3, target, { node })).body).toMatchObject({ status: 'success' });
    const path = fleet.mountPath(target, node);
    expect((await node.sh(`cat ${path}/backup.txt && printf 'of the other' >${path}/other.txt`)).output).toBe(
      'a backup',
    );
    expect(await readFile(join(target.directory, 'other.txt'), 'utf8')).toBe('of the other');
    expect((await fleet.unmount(3, target, { node })).body).toMatchObject({ unmounted: true });
    expect(await fleet.mounts(node)).toEqual([]);
    expect(await fleet.mounts()).toHaveLength(1);
  });

  it('keeps the mount for the second job when the first one unmounts', async () => {
    expect((await fleet.unmount(1, target)).body).toMatchObject({
      status: 'success',
      unmounted: false,
      physically_mounted: true,
      active_mounts_remaining: 1,
    });
    expect((await fleet.node.sh(`cat ${fleet.mountPath(target)}/backup.txt`)).output).toBe('a backup');
  });

  it('takes the mount away with the last job, and leaves nothing', async () => {
    expect((await fleet.unmount(2, target)).body).toMatchObject({
      status: 'success',
      unmounted: true,
      physically_mounted: false,
      active_mounts_remaining: 0,
      error_code: null,
    });
    expect(await fleet.mounts()).toEqual([]);
    expect(await fleet.bindings(target)).toEqual(['released', 'released']);
    expect(await fleet.state(target)).toBe('ABSENT');
    const { base } = fleet.node;
    await fleet.leavesNothing(target);
    await waitFor(async () => (await fleet.node.sh(`ls -A ${base}`)).output === '', {
      timeoutMs: 10_000,
      what: 'the mountpoint to be removed',
      intervalMs: 100,
    });

    expect((await readdir(target.directory)).sort()).toEqual(['backup.txt', 'other.txt']);
  });

  it('mounts read-only for a restore', async () => {
    expect((await fleet.mount(4, target, { options: 'ro,softerr' })).body).toMatchObject({
      status: 'success',
    });
    const path = fleet.mountPath(target);
    const { status, output } = await fleet.node.sh(`cat ${path}/backup.txt; touch ${path}/new`);
    expect(status).not.toBe(0);
    expect(output).toMatch(/^a backup.*Read-only file system/s);
    expect((await fleet.unmount(4, target)).body).toMatchObject({ unmounted: true });
  });

  it('mounts and unmounts an export however its path is spelled, and one that is a symbolic link on the server', async () => {
    await mkdir(join(target.directory, 'real/below'), { recursive: true });
    await symlink('real/below', join(target.directory, 'link'));
    const server = fleet.node.serverAddress;
    for (const [index, path] of [
      `${target.path}/link`,
      `${target.path}//real/below`,
      `${target.path}/real/./below/.`,
      `/${target.path}/real/below/`,
    ].entries()) {
      const spelled = { ...target, id: `${target.id}-${index}` };
      const options = { changes: { filesystem_export: `${server}:${path}` } };
      for (const jobid of [6, 7]) {
        expect((await fleet.mount(jobid, spelled, options)).body).toMatchObject({
          status: 'success',
          reused_existing: jobid === 7,
        });
      }
      await fleet.node.sh(`printf 'by ${index}' >${fleet.mountPath(spelled)}/file-${index}`);
      expect(await readFile(join(target.directory, `real/below/file-${index}`), 'utf8')).toBe(`by ${index}`);
      await fleet.unmount(6, spelled, options);
      expect((await fleet.unmount(7, spelled, options)).body).toMatchObject({
        unmounted: true,
        physically_mounted: false,
        error_code: null,
      });
      expect(await fleet.mounts()).toEqual([]);
    }
  });

  it.each(['No_Root_Squash', 'Root_Squash'] as const)(
    'fails a mount for writing of an export that is read-only (%s), leaves nothing, and mounts it for reading',
    async (squash) => {
      const [readOnly] = await fleet.targets(1, 'read-only', fleet.server, { access: 'RO', squash });
      const { status, body } = await fleet.mount(8, readOnly);
      expect({ status, code: body.error_code }).toEqual({ status: 502, code: 'MOUNT_FAILED' });
      expect(body.error_msg).toContain('exports it read-only to this node');
      expect(await fleet.mounts()).toEqual([]);
      expect(await fleet.state(readOnly)).toBe('ABSENT');
      const options = 'ro,softerr';
      expect((await fleet.mount(8, readOnly, { options })).body).toMatchObject({ status: 'success' });
      expect((await fleet.unmount(8, readOnly, { options })).body).toMatchObject({ unmounted: true });
    },
  );

  it('mounts for writing an export to which root may not write and others may, and changes nothing there', async () => {
    const [squashed] = await fleet.targets(1, 'squashed', fleet.server, { squash: 'Root_Squash' });
    const times = async (): Promise<number[]> => {
      const { mtimeMs, ctimeMs } = await stat(squashed.directory);
      return [mtimeMs, ctimeMs];
    };
    await mkdir(join(squashed.directory, 'of-user'));
    await chown(join(squashed.directory, 'of-user'), 1000, 1000);
    const before = await times();
    expect((await fleet.mount(9, squashed)).body).toMatchObject({ status: 'success' });
    expect(await times()).toEqual(before);
    const path = fleet.mountPath(squashed);
    const { status } = await fleet.node.sh(`setpriv --reuid=1000 --clear-groups touch ${path}/of-user/file`);
    expect(status).toBe(0);
    expect((await fleet.unmount(9, squashed)).body).toMatchObject({ unmounted: true, error_code: null });
  });

  it('fails in the words of mount.nfs where there is no such export, and leaves nothing', async () => {
    const changes = { filesystem_export: `${fleet.node.serverAddress}:/no-such-export` };
    // Without a version mount.nfs would try NFS 3, too, and wait for a portmapper that is not there.
    const options = 'softerr,vers=4.2';
    const { status, body } = await fleet.mount(5, { ...target, id: 'no-such-export' }, { changes, options });
    expect({ status, code: body.error_code }).toEqual({ status: 502, code: 'MOUNT_FAILED' });
    expect(body.error_msg).toMatch(/No such file or directory/);
    expect(await fleet.mounts()).toEqual([]);
  });
});
