import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { ChildRunnerAdapter } from '../processes/child-runner.adapter';
import { deadlineIn } from '../providers/deadlines';
import { LayerUnmounter } from '../providers/layer-unmounter';
import { loadServerSettings } from '../settings/server.settings';
import { BareDirectory } from './bare-directory';
import { MadeDirectories } from './made-directories.repository';
import { MountTableAdapter } from './mount-table.adapter';
import { MountpointGuardAdapter } from './mountpoint-guard.adapter';

const isRoot = process.getuid?.() === 0;
/** Nobody: an account with no rights on this machine. */
const STRANGER = 65_534;
const TRIES = 60;

/** The account `STRANGER` owns a directory above the base, or the mountpoint itself, and root works below it. */
(isRoot ? describe : describe.skip)('directories of a stranger on the way (as root)', () => {
  const table = new MountTableAdapter();
  let directory: string;
  let home: string;
  let victim: string;
  let base: string;
  let path: string;
  let guard: MountpointGuardAdapter;
  let unmounter: LayerUnmounter;
  let swapper: ChildProcess | null;

  beforeEach(async () => {
    Logger.overrideLogger(false);
    directory = await mkdtemp(join(tmpdir(), 'hostile-'));
    await chmod(directory, 0o755);
    home = join(directory, 'home');
    victim = join(directory, 'victim');
    base = join(home, 'base');
    path = join(base, 't');
    await mkdir(base, { recursive: true, mode: 0o755 });
    await mkdir(join(victim, 't'), { recursive: true, mode: 0o755 });
    await chown(home, STRANGER, STRANGER);
    const settings = loadServerSettings({
      DMS_RABBITMQ_URL: 'amqp://none',
      DMS_RUN_DIR: join(directory, 'run'),
      DMS_MOUNT_BASE: base,
      DMS_CONFIG_FILE: '/none',
    });
    const children = new ChildRunnerAdapter(settings);
    guard = new MountpointGuardAdapter(
      settings,
      table,
      new BareDirectory(table, children),
      new MadeDirectories(settings),
    );
    unmounter = new LayerUnmounter(settings, table, children);
    swapper = null;
  });

  afterEach(async () => {
    guard.onModuleDestroy();
    await endSwapper();
    for (const { mountPath } of (await table.read()).filter((entry) => entry.mountPath.startsWith(directory)))
      spawnSync('umount', [mountPath], { stdio: 'ignore' });
    spawnSync('chattr', ['-R', '-i', directory], { stdio: 'ignore' });
    await rm(directory, { recursive: true });
  });

  async function endSwapper(): Promise<void> {
    if (swapper === null || swapper.exitCode !== null || swapper.signalCode !== null) return;
    const ended = once(swapper, 'exit');
    swapper.kill('SIGKILL');
    await ended;
  }

  /** As the stranger, over and over: the base is put aside, a link to the victim takes its place, and back. */
  async function swap(): Promise<void> {
    const script = 'echo; while :; do mv base aside; ln -s ../victim base; rm -f base; mv aside base; done';
    const options = { cwd: home, uid: STRANGER, gid: STRANGER };
    swapper = spawn('/bin/sh', ['-c', script], { ...options, stdio: ['ignore', 'pipe', 'ignore'] });
    if (swapper.stdout !== null) await once(swapper.stdout, 'data');
  }

  it('are refused while they are swapped for links: no mountpoint is ever prepared through one', async () => {
    await rm(join(victim, 't'), { recursive: true });
    await swap();
    const refusals: unknown[] = [];
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      await guard.prepare(path).then(
        () => refusals.push('prepared'),
        (error: { code?: unknown }) => refusals.push(error.code),
      );
      expect(await readdir(victim)).toEqual([]);
    }
    expect(new Set(refusals)).toEqual(new Set(['MOUNT_FAILED']));
  });

  it('are named with what mends them', async () => {
    await expect(guard.prepare(path)).rejects.toMatchObject({
      code: 'MOUNT_FAILED',
      message: expect.stringContaining(
        `${home} can be changed by others than root: "chown root:root"`,
      ) as string,
    });
    await chown(home, 0, 0);
    await guard.prepare(path);
  });

  it('may be such as everybody can use but only owners can change, as the directory for temporary files', async () => {
    await chown(home, 0, 0);
    await chmod(home, 0o1777);
    await guard.prepare(path);
    // What a stranger has put there first is his.
    await guard.remove(path);
    await chown(base, STRANGER, STRANGER);
    await expect(guard.prepare(path)).rejects.toMatchObject({ code: 'MOUNT_FAILED' });
  });

  it('lead no removal elsewhere, and no marker', async () => {
    await chown(home, 0, 0);
    await guard.prepare(path);
    await chmod(join(victim, 't'), 0);
    await chown(home, STRANGER, STRANGER);
    await rename(base, join(home, 'aside'));
    await symlink('../victim', base);
    await expect(guard.remove(path)).rejects.toMatchObject({ code: 'MOUNT_FAILED' });
    await rm(base);
    await rename(join(home, 'aside'), base);
    await expect(guard.remove(path)).rejects.toMatchObject({ code: 'MOUNT_FAILED' });
    expect(await readdir(victim)).toEqual(['t']);
    expect((await stat(path)).isDirectory()).toBe(true);
  });

  it('lead no unmount to another mount', async () => {
    await chown(home, 0, 0);
    await mkdir(path);
    execFileSync('mount', ['-t', 'tmpfs', 'ours', path]);
    execFileSync('mount', ['-t', 'tmpfs', 'important', join(victim, 't')]);
    await chown(home, STRANGER, STRANGER);
    let swaps = 0;
    jest.spyOn(table, 'layersAt').mockImplementation(async (at) => {
      const layers = await new MountTableAdapter().layersAt(at);
      // Right after the first look.
      if (swaps === 0) {
        await rename(base, join(home, 'aside'));
        await symlink('../victim', base);
      }
      swaps += 1;
      return layers;
    });
    const layer = { targetId: 't', mountPath: path, isOurs: () => true };
    expect(await unmounter.takeOut(layer, deadlineIn(5_000))).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining(home) as string,
    });
    expect(swaps).toBeGreaterThan(0);
    jest.restoreAllMocks();
    expect(await table.layersAt(join(victim, 't'))).toHaveLength(1);
    expect(await table.layersAt(join(home, 'aside', 't'))).toHaveLength(1);
  });

  describe('below', () => {
    beforeEach(() => chown(home, 0, 0));

    it('a mountpoint that was theirs is root’s from then on', async () => {
      await mkdir(path);
      await chown(path, STRANGER, STRANGER);
      await guard.prepare(path);
      expect(await stat(path)).toMatchObject({ uid: 0, gid: 0, mode: 0o40000 });
    });

    it('a mountpoint that they fill while it is looked at is not hidden by a mount', async () => {
      await mkdir(path);
      await chown(path, STRANGER, STRANGER);
      const script = 'echo; i=0; while :; do : >t/f 2>/dev/null; rm -f t/f 2>/dev/null; done';
      swapper = spawn('/bin/sh', ['-c', script], {
        ...{ cwd: base, uid: STRANGER, gid: STRANGER },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      if (swapper.stdout !== null) await once(swapper.stdout, 'data');
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        const prepared = await guard.prepare(path).then(
          () => true,
          (error: { code?: unknown }) => {
            expect(error.code).toBe('MOUNT_FAILED');
            return false;
          },
        );
        if (prepared) expect(await readdir(path)).toEqual([]);
        spawnSync('chattr', ['-i', path]);
        await chmod(path, 0o755);
        await chown(path, STRANGER, STRANGER);
      }
    });

    it('a mountpoint that is the base of another, or above one, is refused', async () => {
      const settings = loadServerSettings({
        DMS_RABBITMQ_URL: 'amqp://none',
        DMS_RUN_DIR: join(directory, 'run'),
        DMS_MOUNT_BASE: `${base},${join(path, 'inner')},${join(base, 'other')}`,
        DMS_CONFIG_FILE: '/none',
      });
      const children = new ChildRunnerAdapter(settings);
      const nested = new MountpointGuardAdapter(
        settings,
        table,
        new BareDirectory(table, children),
        new MadeDirectories(settings),
      );
      for (const refused of [path, join(base, 'other')])
        await expect(nested.prepare(refused)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
      await nested.prepare(join(base, 'other', 'x'));
      await nested.remove(join(base, 'other', 'x'));
    });

    it('a link in the place of the mountpoint is refused, wherever it leads', async () => {
      for (const aim of ['../../victim/t', victim, 'nowhere', '.']) {
        await symlink(aim, path);
        await expect(guard.prepare(path)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
        await expect(guard.remove(path)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
        await rm(path);
      }
      await writeFile(path, 'a file');
      await expect(guard.prepare(path)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    });
  });
});
