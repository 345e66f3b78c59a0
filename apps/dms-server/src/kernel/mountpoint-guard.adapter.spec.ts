import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { ChildRunnerAdapter } from '../processes/child-runner.adapter';
import { type ChildRunner } from '../processes/child-runner.interface';
import { loadServerSettings } from '../settings/server.settings';
import { waitUntil } from '../processes/delay';
import { BareDirectory, MARKER } from './bare-directory';
import { MadeDirectories } from './made-directories.repository';
import { MountTableAdapter } from './mount-table.adapter';
import { MountpointGuardAdapter } from './mountpoint-guard.adapter';

const isRoot = process.getuid?.() === 0;

(isRoot ? describe : describe.skip)('MountpointGuardAdapter (as root)', () => {
  let directory: string;
  let base: string;
  let path: string;
  let guard: MountpointGuardAdapter;
  const table = new MountTableAdapter();

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

  function newGuard(
    bases: string,
    graceSeconds = '0.1',
    wrapped = (children: ChildRunner): ChildRunner => children,
  ): MountpointGuardAdapter {
    const settings = loadServerSettings({
      DMS_RABBITMQ_URL: 'amqp://none',
      DMS_RUN_DIR: join(directory, 'run'),
      DMS_MOUNT_BASE: bases,
      DMS_MOUNTPOINT_GRACE: graceSeconds,
      DMS_CONFIG_FILE: '/none',
    });
    const bare = new BareDirectory(table, wrapped(new ChildRunnerAdapter(settings)));
    return new MountpointGuardAdapter(settings, table, bare, new MadeDirectories(settings));
  }

  const vanished = async (of: string): Promise<void> => {
    const isGone = (): Promise<true | null> =>
      stat(of).then(
        () => null,
        () => true,
      );
    expect(await waitUntil(10_000, isGone)).toBe(true);
  };

  const modeOf = async (of: string): Promise<number> => (await stat(of)).mode & 0o7777;

  it('makes a directory that not even root can fill, and takes it away again', async () => {
    await guard.prepare(path);
    expect([await modeOf(base), await modeOf(join(base, 'a')), await modeOf(path)]).toEqual([
      0o750, 0o755, 0,
    ]);
    await expect(writeFile(join(path, 'file'), '')).rejects.toThrow('EPERM');
    await guard.prepare(path);
    await guard.remove(path);
    expect(await readdir(base)).toEqual([]);
    await guard.remove(path);
  });

  it('shows no mount to anybody while it makes, marks and removes one', async () => {
    guard = newGuard(base, '1.2');
    const seen: string[] = [];
    let isDone = false;
    const looks = (async () => {
      while (!isDone) {
        const all = [...(await table.read()), ...(await table.layersAt(path))];
        seen.push(...all.map(({ mountPath }) => mountPath).filter((at) => at.startsWith(base)));
      }
    })();
    try {
      await guard.prepare(path);
      guard.removeLater(path);
      await vanished(path);
    } finally {
      isDone = true;
      await looks;
    }
    expect(seen).toEqual([]);
  });

  it.each([
    ['before its cover was read-only', []],
    ['behind its cover', ['-o', 'ro']],
  ])('leaves nothing of a directory whose maker was killed %s', async (_when, options) => {
    const killed: string[] = [];
    guard = newGuard(base, '1', (children) => ({
      childrenLeft: (targetId) => children.childrenLeft(targetId),
      endLeftOver: () => children.endLeftOver(),
      run: (command) => {
        if (command.args[0] !== 'make') return children.run(command);
        killed.push(command.args[1]);
        execFileSync('mount', ['--bind', ...options, command.args[1], command.args[1]]);
        return Promise.resolve({ kind: 'deadline', gone: true, output: '' });
      },
    }));
    await expect(guard.prepare(path)).rejects.toThrow('cannot be made');
    expect(killed).toHaveLength(1);
    expect(await table.placeholderAt(killed[0])).toBe('none');
    expect(await readdir(join(base, 'a'))).toEqual([]);
  });

  it('makes a few directories on the way, and refuses a path that needs many', async () => {
    const deep = join(base, ...Array.from({ length: 8 }, (_, index) => `d${index}`), 'mountpoint');
    await guard.prepare(deep);
    await guard.remove(deep);
    expect(await readdir(base)).toEqual([]);
    for (const levels of [9, 500]) {
      const path = join(base, ...Array.from({ length: levels }, () => 'd'), 'mountpoint');
      await expect(guard.prepare(path)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
      expect(await readdir(base)).toEqual([]);
    }
    await mkdir(join(base, 'd'), { mode: 0o755 });
    await guard.prepare(join(base, 'd', ...Array.from({ length: 8 }, () => 'd'), 'mountpoint'));
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
    await vanished(join(base, 'a'));
    expect(await readdir(base)).toEqual(['other']);
  });

  it('keeps nothing in its memory of a path that is gone', async () => {
    await guard.prepare(path);
    guard.removeLater(path);
    await vanished(path);
    const cleared = jest.spyOn(global, 'clearTimeout');
    guard.onModuleDestroy();
    expect(cleared).not.toHaveBeenCalled();
    cleared.mockRestore();
  });

  it('leaves what was there above a mountpoint, and what others need still', async () => {
    await mkdir(join(base, 'a'), { recursive: true, mode: 0o755 });
    const deep = [join(base, 'a', 'x', 'y', '1'), join(base, 'a', 'x', 'y', '2')];
    for (const each of deep) await guard.prepare(each);
    await guard.remove(deep[0]);
    expect(await readdir(join(base, 'a', 'x', 'y'))).toEqual(['2']);
    // An earlier dms-server made them.
    guard = newGuard(base);
    expect(guard.made()).toContain(deep[1]);
    await guard.remove(deep[1]);
    expect(await readdir(join(base, 'a'))).toEqual([]);
    expect(guard.made()).toEqual([]);
  });

  it('makes many mountpoints on one way while others are removed', async () => {
    const paths = Array.from({ length: 12 }, (_, index) => join(base, 'way', String(index)));
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(paths.filter((_, index) => index % 2 === 0).map((each) => guard.prepare(each)));
      await Promise.all(
        paths.map((each, index) => (index % 2 === 0 ? guard.remove(each) : guard.prepare(each))),
      );
      expect(await readdir(join(base, 'way'))).toHaveLength(6);
      await Promise.all(paths.map((each) => guard.remove(each)));
      expect(await readdir(base)).toEqual([]);
    }
  });

  describe.each([
    ['ext4 or whatever the temporary directory is on', null],
    ['tmpfs', 'tmpfs'],
    ['ramfs, which has no immutable flag', 'ramfs'],
  ])('on %s', (_name, fstype) => {
    beforeEach(async () => {
      await mkdir(base, { mode: 0o755 });
      if (fstype !== null) execFileSync('mount', ['-t', fstype, 'none', base]);
      await chmod(base, 0o755);
    });
    afterEach(async () => {
      spawnSync('umount', [path], { stdio: 'ignore' });
      if (fstype === null) return;
      await guard.remove(path);
      execFileSync('umount', ['--recursive', base]);
    });

    const writers = (): Promise<void>[] => [
      writeFile(join(path, 'file'), ''),
      mkdir(join(path, 'directory')),
      symlink('x', join(path, 'link')),
    ];

    it('lets nobody write, root included, is mounted over, and is marked after that', async () => {
      guard = newGuard(base, '30');
      await guard.prepare(path);
      for (const writing of writers()) await expect(writing).rejects.toThrow(/EPERM|EROFS/);
      expect(await table.layersAt(path)).toEqual([]);
      expect(await table.placeholderAt(path)).toBe(fstype === 'ramfs' ? 'stands' : 'none');

      execFileSync('mount', ['-t', 'tmpfs', 'target', path]);
      await writeFile(join(path, 'file'), '');
      expect(await table.layersAt(path)).toHaveLength(1);
      execFileSync('umount', [path]);
      for (const writing of writers()) await expect(writing).rejects.toThrow(/EPERM|EROFS/);

      guard.removeLater(path);
      const marked = await waitUntil(10_000, async () => (await readdir(path)).includes(MARKER) || null);
      expect(marked).toBe(true);
      expect(await readFile(join(path, MARKER), 'utf8')).toContain('Nothing is mounted here');
      await guard.prepare(path);
      expect(await readdir(path)).toEqual([]);
      for (const writing of writers()) await expect(writing).rejects.toThrow(/EPERM|EROFS/);
      await guard.remove(path);
      expect(await readdir(base)).toEqual([]);
    });

    it('lets nobody write at any time while it is made, marked, prepared again and removed', async () => {
      guard = newGuard(base, '30');
      // As jobs that go on opening files by their path after the unmount, as often as they can.
      const script = 'while :; do : >"$1/file-$RANDOM-$$" && echo written; done 2>/dev/null';
      const writers = [1, 2].map(() =>
        spawn('bash', ['-c', script, 'bash', path], { stdio: ['ignore', 'pipe', 'ignore'] }),
      );
      const said: string[] = [];
      for (const { stdout } of writers) stdout.on('data', (chunk) => said.push(String(chunk)));
      try {
        for (let round = 0; round < 3; round += 1) {
          await guard.prepare(path);
          guard.removeLater(path);
          const isMarked = async (): Promise<true | null> => (await readdir(path)).includes(MARKER) || null;
          expect(await waitUntil(10_000, isMarked)).toBe(true);
          await guard.prepare(path);
          expect(await readdir(path)).toEqual([]);
          await guard.remove(path);
          expect(await readdir(base)).toEqual([]);
        }
      } finally {
        for (const writer of writers) {
          const ended = once(writer, 'close');
          writer.kill('SIGKILL');
          await ended;
        }
      }
      expect(said).toEqual([]);
    }, 120_000);
  });
});
