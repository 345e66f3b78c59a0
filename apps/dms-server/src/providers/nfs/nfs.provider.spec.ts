import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { DmsError, parseTargetRequest } from '@app/contracts';
import { type MountedAs } from '../../fence/target-record';
import { MountProbeAdapter } from '../../kernel/mount-probe.adapter';
import { MountTableAdapter } from '../../kernel/mount-table.adapter';
import { type MountEntry } from '../../kernel/mount-table.interface';
import { ChildRunnerAdapter } from '../../processes/child-runner.adapter';
import { type ChildOutcome, type ChildRunner } from '../../processes/child-runner.interface';
import { loadServerSettings } from '../../settings/server.settings';
import { FakeKernel } from '../../testing/fake-kernel';
import { deadlineIn } from '../deadlines';
import { LayerUnmounter } from '../layer-unmounter';
import { type MountPlan, type UnmountResult } from '../target-provider.interface';
import { NfsFlush } from './nfs-flush';
import { type PingAnswer } from './nfs-ping.interface';
import { mountCommand, NfsProvider } from './nfs.provider';
import { ServerBreaker } from './server-breaker';

// What the services log is of no interest here.
Logger.overrideLogger(false);

const DONE: ChildOutcome = { kind: 'exited', code: 0, signal: null, output: '' };
const SOURCE = 'server.example:/export';

function planFor(mountPath: string, options: string | null = null, readOnly = false): MountPlan {
  const backup_target = { id: 't', type: 'nfs', filesystem_export: SOURCE, nfs_mount_opts: options };
  const request = parseTargetRequest({ job: { jobid: 1 }, host: 'node', backup_target }, 'mount');
  return { targetId: 't', request, source: SOURCE, mountPath, readOnly };
}

describe('mountCommand', () => {
  it('has bounded defaults, and nosuid,nodev always', () => {
    expect(mountCommand(planFor('/base/t'))).toEqual(
      ['mount', '-t', 'nfs', '-o', 'rw,softerr,timeo=100,retrans=3,nosuid,nodev', '--', SOURCE, '/base/t'],
    ); // prettier-ignore
  });

  it('mounts read-only whatever the options say', () => {
    expect(mountCommand(planFor('/base/t', 'rw,vers=4.2', true))).toContain('vers=4.2,ro,nosuid,nodev');
  });
});

describe('NfsProvider', () => {
  let directory: string;
  /** What the server says to whether it lives. */
  let ping: Promise<PingAnswer>;

  beforeEach(async () => {
    ping = Promise.resolve({ kind: 'answers' });
    directory = await mkdtemp(join(tmpdir(), 'nfs-'));
  });

  afterEach(() => rm(directory, { recursive: true }));

  function providerWith(rootwrap = ''): NfsProvider {
    const settings = loadServerSettings({
      DMS_RABBITMQ_URL: 'amqp://none',
      DMS_RUN_DIR: join(directory, 'run'),
      DMS_ROOTWRAP: rootwrap,
      DMS_CONFIG_FILE: '/none',
    });
    const children = new ChildRunnerAdapter(settings);
    const table = new MountTableAdapter();
    const unmounter = new LayerUnmounter(settings, table, children);
    const probe = new MountProbeAdapter(children);
    const breaker = new ServerBreaker(settings, children);
    const answers = { ping: () => ping };
    const flush = new NfsFlush(children);
    return new NfsProvider(settings, children, table, probe, unmounter, breaker, answers, flush);
  }

  it('tells the words of mount(8), through the words of DMS_ROOTWRAP', async () => {
    const plan = planFor(join(directory, 'mnt'));
    await expect(
      providerWith('echo wrapped').mount(plan, () => Promise.resolve(), deadlineIn(5_000)),
    ).rejects.toMatchObject({
      code: 'MOUNT_FAILED',
      message: 'mount(8) reported success, but server.example:/export is not mounted.',
    });
    await expect(
      providerWith('sh -c echo${IFS}"mount.nfs:no";exit${IFS}32').mount(
        plan,
        () => Promise.resolve(),
        deadlineIn(5_000),
      ),
    ).rejects.toMatchObject({ code: 'MOUNT_FAILED', message: 'mount.nfs:no' });
    await expect(
      providerWith('no-such-wrapper').mount(plan, () => Promise.resolve(), deadlineIn(5_000)),
    ).rejects.toMatchObject({
      code: 'MOUNT_FAILED',
      message: 'no-such-wrapper: it is not installed',
    });
    expect(await readdir(join(directory, 'run', 'children'))).toEqual([]);
  });

  it('fails with the words of the real mount(8), and leaves nothing', async () => {
    const provider = providerWith();
    const error: unknown = await provider
      .mount(planFor(join(directory, 'mnt')), () => Promise.resolve(), deadlineIn(20_000))
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'MOUNT_FAILED',
      message: expect.stringMatching(/mount|mnt/) as string,
    });
    expect(await new MountTableAdapter().layersAt(join(directory, 'mnt'))).toEqual([]);
  });

  it('does not know the outcome of a mount that was killed at its deadline, and names the setting', async () => {
    const slow = providerWith('sh -c sleep${IFS}30').mount(
      planFor(join(directory, 'mnt')),
      () => Promise.resolve(),
      deadlineIn(200, 'DMS_MOUNT_TIMEOUT (0.2 s)'),
    );
    await expect(slow).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: `${SOURCE} could not be mounted within DMS_MOUNT_TIMEOUT (0.2 s).`,
    });
  });

  it('makes nothing and calls no mount(8) for a server that does not answer, and not even asks it again at once', async () => {
    const provider = providerWith('sh -c echo${IFS}"called"');
    const makeMountpoint = jest.fn(() => Promise.resolve());
    const mount = (): Promise<unknown> =>
      provider.mount(planFor(join(directory, 'mnt')), makeMountpoint, deadlineIn(5_000));
    ping = Promise.resolve({ kind: 'silent', reason: 'cannot be reached (EHOSTUNREACH)' });
    await expect(mount()).rejects.toMatchObject({
      code: 'MOUNT_FAILED',
      message:
        'server.example:/export was not mounted: NFS server server.example:2049 cannot be reached (EHOSTUNREACH).',
    });
    ping = Promise.resolve({ kind: 'answers' });
    await expect(mount()).rejects.toMatchObject({
      message: expect.stringMatching('has not answered for') as string,
    });
    expect(makeMountpoint).not.toHaveBeenCalled();
  });

  describe('of a mount that is in use, when it is gone in the end, says of the data', () => {
    const BUSY = { ...DONE, code: 32, output: 'umount.nfs4: /mnt: device is busy\n' };
    const FULL = { ...DONE, code: 1, output: "sync: error syncing '/mnt': No space left on device\n" };
    const policies = { DMS_BUSY_TIMEOUT: '0.2', DMS_RABBITMQ_URL: 'amqp://none', DMS_CONFIG_FILE: '/none' };

    /** The unmount of a mount that is busy for as many tries, and what ends each flush. */
    const unmountOf = async (
      busyTries: number,
      flushes: readonly ChildOutcome[],
      policy = '',
    ): Promise<{ result: UnmountResult; failures: string[]; tries: string[] }> => {
      const settings = loadServerSettings({ ...policies, DMS_UNMOUNT_POLICY: policy });
      const kernel = new FakeKernel();
      const path = join(directory, 'mnt');
      const layer = kernel.mountLayer(path, SOURCE);
      const tries: string[] = [];
      const failures: string[] = [];
      const children: ChildRunner = {
        childrenLeft: () => Promise.resolve(0),
        endLeftOver: () => Promise.resolve(),
        run: ({ program, args }) => {
          const isHarsh = args.includes('-l') || args.includes('-f');
          tries.push(isHarsh ? 'harsh' : program);
          if (program === 'sync') {
            const index = tries.filter((tried) => tried === 'sync').length - 1;
            return Promise.resolve(flushes[Math.min(index, flushes.length - 1)]);
          }
          const tried = tries.filter((one) => one === 'umount').length;
          if (!isHarsh && tried <= busyTries) return Promise.resolve(BUSY);
          kernel.layers.pop();
          return Promise.resolve(DONE);
        },
      };
      const parts = [
        new LayerUnmounter(settings, kernel, children),
        new ServerBreaker(settings, children),
      ] as const;
      const flush = new NfsFlush(children);
      const provider = new NfsProvider(
        settings,
        children,
        kernel,
        kernel,
        ...parts,
        { ping: () => ping },
        flush,
      );
      const { mntId, device, fstype } = layer;
      const mountedAs = {
        type: 'nfs',
        source: SOURCE,
        mountPath: path,
        readOnly: false,
        mntId,
        device,
        fstype,
      } as const;
      const flushFailed = (reason: string): Promise<void> => {
        failures.push(reason);
        return Promise.resolve();
      };
      const plan = { targetId: 't', mountedAs, livesElsewhere: () => Promise.resolve(false), flushFailed };
      return { result: await provider.unmount(plan, deadlineIn(5_000)), failures, tries };
    };

    it('what the last flush before that tells, which comes after the last that its users wrote', async () => {
      const { result, tries } = await unmountOf(2, [DONE]);
      expect(result).toMatchObject({ kind: 'gone', flushVerified: true });
      expect(tries).toEqual(['sync', 'umount', 'sync', 'umount', 'sync', 'umount']);
    });

    it.each([
      ['the first', [FULL, DONE]],
      ['a later one', [DONE, FULL, DONE]],
    ])('that it is lost where %s flush failed, however the next one ends', async (_which, flushes) => {
      const { result, failures } = await unmountOf(3, flushes);
      expect(result).toMatchObject({ kind: 'gone', flushVerified: false });
      expect(failures).toEqual([FULL.output.trim()]);
    });

    it.each([
      ['lazy', 'umount -l'],
      ['force', 'umount -f'],
    ])('that it may be lost where it was taken away by %s', async (policy, words) => {
      const { result } = await unmountOf(1_000, [DONE], policy);
      expect(result).toMatchObject({
        kind: 'gone',
        flushVerified: false,
        detail: expect.stringContaining(words) as string,
      });
    });
  });

  describe('with a mount(8) that makes a layer', () => {
    const kernel = new FakeKernel();
    let shown = SOURCE;
    let made: MountEntry | undefined;
    let outcome: ChildOutcome = DONE;
    /** How the question ends whether the export can be written to. */
    let written: ChildOutcome = DONE;
    const asked: string[] = [];
    const children: ChildRunner = {
      childrenLeft: () => Promise.resolve(0),
      endLeftOver: () => Promise.resolve(),
      run: ({ program, args }) => {
        const path = args.at(-1) ?? '';
        if (program === 'mount') made = kernel.mountLayer(path, shown);
        if (program === 'umount') kernel.layers.pop();
        if (program === '/bin/sh') {
          asked.push(path);
          return Promise.resolve(written);
        }
        return Promise.resolve(program === 'mount' ? outcome : DONE);
      },
    };
    const mounted = (mountPath: string, readOnly = false, withinMs = 5_000): Promise<MountEntry> => {
      const settings = loadServerSettings({ DMS_RABBITMQ_URL: 'amqp://none', DMS_CONFIG_FILE: '/none' });
      const unmounter = new LayerUnmounter(settings, kernel, children);
      const breaker = new ServerBreaker(settings, children);
      const answers = { ping: () => ping };
      const flush = new NfsFlush(children);
      const provider = new NfsProvider(
        settings,
        children,
        kernel,
        kernel,
        unmounter,
        breaker,
        answers,
        flush,
      );
      return provider.mount(
        planFor(mountPath, null, readOnly),
        () => Promise.resolve(),
        deadlineIn(withinMs),
      );
    };
    beforeEach(() => {
      kernel.layers = [];
      kernel.probes.clear();
      outcome = DONE;
      written = DONE;
      asked.length = 0;
      shown = SOURCE;
    });

    const touch = (words: string): ChildOutcome => ({
      ...{ kind: 'exited', code: 1, signal: null },
      output: `touch: setting times of '/base/t': ${words}\n`,
    });

    it('fails a mount for writing of an export that is read-only, tells the remedy, and leaves nothing', async () => {
      written = touch('Read-only file system');
      await expect(mounted(join(directory, 'mnt'))).rejects.toMatchObject({
        code: 'MOUNT_FAILED',
        message:
          'server.example:/export cannot be mounted for writing: its server exports it read-only to this node. ' +
          'Mount it with "read_only": true (--read-only), or export it for writing.',
      });
      expect(kernel.layers).toEqual([]);
    });

    it('mounts a read-only export for reading, and does not ask whether it can be written to', async () => {
      written = touch('Read-only file system');
      expect(await mounted(join(directory, 'mnt'), true)).toBe(made);
      expect(asked).toEqual([]);
    });

    it.each<[string, ChildOutcome]>([
      ['root may write', DONE],
      ['root is nobody on the server', touch('Operation not permitted')],
      ['the server does not answer in time', { kind: 'deadline', gone: true, output: '' }],
      ['the programs for it are missing', { kind: 'not-started', reason: 'no sh' }],
    ])('mounts for writing where %s', async (_, answer) => {
      written = answer;
      expect(await mounted(join(directory, 'mnt'))).toBe(made);
      expect(asked).toEqual([join(directory, 'mnt')]);
    });

    // As the kernel shows an export whose path has empty components, or is a symbolic link on the server.
    it.each([SOURCE, 'server.example:/a/b', 'server.example:/where/the/link/leads'])(
      'takes the layer that shows %s for the mount that was asked for',
      async (source) => {
        shown = source;
        expect(await mounted(join(directory, 'mnt'))).toBe(made);
      },
    );

    it.each([SOURCE, 'server.example:/where/the/link/leads'])(
      'takes the layer that shows %s away again if it does not answer',
      async (source) => {
        shown = source;
        kernel.probes.set(join(directory, 'mnt'), { kind: 'dead', reason: 'stale' });
        await expect(mounted(join(directory, 'mnt'))).rejects.toMatchObject({ code: 'MOUNT_FAILED' });
        expect(kernel.layers).toEqual([]);
      },
    );

    it('names the setting where a mount that was made does not answer in time', async () => {
      kernel.probes.set(join(directory, 'mnt'), { kind: 'silent' });
      await expect(mounted(join(directory, 'mnt'))).rejects.toMatchObject({
        message: `${SOURCE} was mounted but cannot be read: it did not answer within the time of its command`,
      });
      await expect(mounted(join(directory, 'mnt'), false, 60_000)).rejects.toMatchObject({
        message: `${SOURCE} was mounted but cannot be read: it did not answer within DMS_PROBE_TIMEOUT (10 s)`,
      });
    });

    it('takes away what a mount(8) has made that failed or was killed, and no layer of another server', async () => {
      const path = join(directory, 'mnt');
      shown = 'server.example:/where/the/link/leads';
      for (const failure of [
        { kind: 'exited', code: 32, signal: null, output: 'no' },
        { kind: 'deadline', gone: true, output: '' },
      ] as const) {
        outcome = failure;
        await expect(mounted(path)).rejects.toBeInstanceOf(DmsError);
        expect(kernel.layers).toEqual([]);
      }
      shown = 'other.example:/export';
      await expect(mounted(path)).rejects.toBeDefined();
      expect(kernel.layers).toEqual([made]);
    });
  });

  it('owns what is of its type and of the same export', () => {
    const mountedAs: MountedAs = {
      type: 'nfs',
      source: SOURCE,
      mountPath: '/base/t',
      readOnly: false,
      mntId: null,
      device: null,
      fstype: null,
    };
    const layer: MountEntry = {
      mntId: 1,
      parentId: 0,
      device: '0:9',
      root: '/',
      mountPath: '/base/t',
      deleted: false,
      options: ['rw'],
      fstype: 'nfs4',
      source: 'Server.example:/export/',
      superOptions: [],
    };
    const provider = providerWith();
    expect(provider.owns(layer, mountedAs)).toBe(true);
    expect(provider.owns({ ...layer, fstype: 'nfs' }, mountedAs)).toBe(true);
    expect(provider.owns({ ...layer, fstype: 'tmpfs' }, mountedAs)).toBe(false);
    expect(provider.owns({ ...layer, source: 'server.example:/other' }, mountedAs)).toBe(false);
    expect(provider.owns({ ...layer, mountPath: '/base/u' }, mountedAs)).toBe(false);
    const linked = { ...layer, source: 'server.example:/where/the/link/leads' };
    expect(provider.owns(linked, mountedAs)).toBe(false);
    expect(provider.owns(linked, { ...mountedAs, mntId: 1, device: '0:9' })).toBe(true);
    expect(provider.owns(linked, { ...mountedAs, mntId: 1, device: '0:8' })).toBe(false);
    // In another mount namespace, where it has another id.
    expect(provider.owns(linked, { ...mountedAs, mntId: 7, shownSource: linked.source })).toBe(true);
    // A dms-server that was killed before it saw the layer of its own mount(8).
    expect(provider.owns(linked, mountedAs, true)).toBe(true);
    expect(provider.owns({ ...linked, source: 'other.example:/export' }, mountedAs, true)).toBe(false);
  });
});
