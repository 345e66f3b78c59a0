import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { waitFor } from '../rig';
import { describeOnRig } from './on-rig';

const MARKER = '.dms-not-mounted';

/** Immutable, or under a read-only placeholder. */
function isLocked(path: string): boolean {
  const [flags] = execFileSync('lsattr', ['-d', path], { encoding: 'utf8' }).split(' ');
  return flags.includes('i') || mountsBelow(path).length > 0;
}

describeOnRig('a directory in which a target is not mounted', (rig) => {
  let fleet: Fleet;
  let jobs: Jobs;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, { nodeSettings: { DMS_MOUNTPOINT_GRACE: '8' } });
    jobs = new Jobs(fleet);
  });
  afterAll(() => fleet?.stop());

  const expectUnwritable = async (path: string): Promise<void> => {
    await expect(writeFile(join(path, 'backup'), 'beside the mount')).rejects.toThrow(/EPERM|EROFS/);
    await expect(mkdir(join(path, 'directory'))).rejects.toThrow(/EPERM|EROFS/);
  };

  it('is marked, refuses root, and goes after its grace time; nothing of ours gets into the bucket', async () => {
    const target = await fleet.targets.s3('bare');
    const path = String((await jobs.mount(1, target)).body.mount_path);
    await writeFile(join(path, 'file'), 'of the job');
    expect(readdirSync(path)).toEqual(['file']);
    await jobs.unmount(1, target);
    await expectUnwritable(path);
    await waitFor(() => existsSync(join(path, MARKER)) && isLocked(path), {
      timeoutMs: 10_000,
      what: 'the marker, and the directory to be locked again',
    });
    expect(readFileSync(join(path, MARKER), 'utf8')).toContain('Nothing is mounted here');
    await expectUnwritable(path);
    expect(statSync(path).mode & 0o777).toBe(0);

    expect((await jobs.mount(2, target)).body).toMatchObject({ status: 'success' });
    expect(readdirSync(path)).toEqual(['file']);
    await jobs.unmount(2, target);
    await expectUnwritable(path);
    await waitFor(() => !existsSync(path), { timeoutMs: 30_000, what: 'the directory to go' });
  });

  it('takes the directories above it along that were made for it', async () => {
    const target = await fleet.targets.s3('deep');
    const place = { filesystem_export_mount_path: join(fleet.node.base, 'region', 'tenant', target.id) };
    expect((await jobs.mount(1, target, { target: place })).body).toMatchObject({
      error_msg: null,
      status: 'success',
    });
    await jobs.unmount(1, target, { target: place });
    // A server that starts again knows still what it made.
    await fleet.node.stop();
    await fleet.node.start();
    await waitFor(() => !existsSync(join(fleet.node.base, 'region')), {
      timeoutMs: 30_000,
      what: 'the directories to go',
    });
  });

  it('is told from the target by the device in the answer, as the documentation has it', async () => {
    const target = await fleet.targets.s3('device');
    const { body } = await jobs.mount(1, target);
    const [path, device] = [String(body.mount_path), String(body.device)];
    expect(mountsBelow(path)).toHaveLength(1);
    expect(mountsBelow(path)[0].split(' ').slice(0, 3)).toEqual([
      String(body.mnt_id),
      expect.any(String),
      device,
    ]);
    const check = (): string =>
      execFileSync(
        'sh',
        [
          '-c',
          '[ "$(mountpoint -d "$1")" = "$2" ] && echo target || echo "something else"',
          'sh',
          path,
          device,
        ],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      );
    expect(check()).toBe('target\n');
    await jobs.unmount(1, target);
    expect(check()).toBe('something else\n');
  });
});
