import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { ChildRunnerAdapter } from '../processes/child-runner.adapter';
import { loadServerSettings } from '../settings/server.settings';
import { MountTableAdapter } from './mount-table.adapter';
import { MountpointGuardAdapter } from './mountpoint-guard.adapter';

const isRoot = process.getuid?.() === 0;

(isRoot ? describe : describe.skip)('MountpointGuardAdapter (as root)', () => {
  let directory: string;
  let base: string;
  let path: string;
  let guard: MountpointGuardAdapter;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'guard-'));
    base = join(directory, 'base');
    path = join(base, 'a', 'b c');
    guard = newGuard(base);
    Logger.overrideLogger(false);
  });

  afterEach(async () => {
    guard.onModuleDestroy();
    // Its status says nothing: it fails on symbolic links.
    spawnSync('chattr', ['-R', '-i', directory], { stdio: 'ignore' });
    await rm(directory, { recursive: true });
  });

  function newGuard(bases: string): MountpointGuardAdapter {
    const settings = loadServerSettings({
      DMS_RABBITMQ_URL: 'amqp://none',
      DMS_RUN_DIR: join(directory, 'run'),
      DMS_MOUNT_BASE: bases,
      DMS_MOUNTPOINT_GRACE: '0.1',
      DMS_CONFIG_FILE: '/none',
    });
    return new MountpointGuardAdapter(settings, new MountTableAdapter(), new ChildRunnerAdapter(settings));
  }

  const modeOf = async (of: string): Promise<number> => (await stat(of)).mode & 0o7777;

  it('makes a directory that not even root can fill, and takes it away again', async () => {
    await guard.prepare(path);
    expect([await modeOf(base), await modeOf(join(base, 'a')), await modeOf(path)]).toEqual([
      0o755, 0o755, 0,
    ]);
    await expect(writeFile(join(path, 'file'), '')).rejects.toThrow('EPERM');
    await guard.prepare(path);
    await guard.remove(path);
    expect(await readdir(join(base, 'a'))).toEqual([]);
    await guard.remove(path);
  });

  it('closes an empty directory that was there before', async () => {
    await mkdir(path, { recursive: true, mode: 0o755 });
    await guard.prepare(path);
    expect(await modeOf(path)).toBe(0);
  });

  it('refuses a directory that is not empty, and leaves it', async () => {
    await mkdir(path, { recursive: true, mode: 0o755 });
    await writeFile(join(path, 'backup'), 'beside the mount');
    await expect(guard.prepare(path)).rejects.toMatchObject({
      code: 'MOUNT_FAILED',
      message: expect.stringContaining('is not empty') as string,
    });
    await guard.remove(path);
    expect(await readdir(path)).toEqual(['backup']);
  });

  it.each([
    ['outside of the bases', () => '/elsewhere/x'],
    ['the base itself', () => base],
    ['a path that climbs', () => `${base}/../x`],
  ])('refuses %s', async (_name, refused) => {
    await expect(guard.prepare(refused())).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });

  it('refuses symbolic links on the way, at the end, and above the base', async () => {
    await mkdir(base, { mode: 0o755 });
    await mkdir(join(directory, 'out'), { mode: 0o755 });
    await symlink(join(directory, 'out'), join(base, 'a'));
    await expect(guard.prepare(path)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await expect(guard.prepare(join(base, 'a'))).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await symlink(base, join(directory, 'link'));
    await expect(
      newGuard(join(directory, 'link')).prepare(join(directory, 'link', 'x')),
    ).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      message: expect.stringContaining('symbolic link') as string,
    });
    expect(await readdir(join(directory, 'out'))).toEqual([]);
  });

  it('refuses a way that others can change', async () => {
    await mkdir(join(base, 'a'), { recursive: true });
    await chmod(join(base, 'a'), 0o777);
    await expect(guard.prepare(path)).rejects.toMatchObject({
      code: 'MOUNT_FAILED',
      message: expect.stringContaining(join(base, 'a')) as string,
    });
  });

  it('touches nothing where something is mounted', async () => {
    await guard.prepare(path);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', path]);
    try {
      await expect(guard.prepare(path)).rejects.toMatchObject({ code: 'MOUNT_FAILED' });
      await expect(guard.prepare(join(path, 'x'))).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
      await guard.remove(path);
      await writeFile(join(path, 'in the mount'), '');
    } finally {
      execFileSync('umount', [path]);
    }
    expect(await readdir(path)).toEqual([]);
  });

  it('removes after the grace time, unless it was prepared again', async () => {
    const other = join(base, 'other');
    await guard.prepare(path);
    await guard.prepare(other);
    guard.removeLater(path);
    guard.removeLater(other);
    await guard.prepare(other);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(await readdir(join(base, 'a'))).toEqual([]);
    expect(await readdir(base)).toContain('other');
  });
});
