import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MountProbeAdapter } from '../kernel/mount-probe.adapter';
import { MountTableAdapter } from '../kernel/mount-table.adapter';
import { type MountEntry } from '../kernel/mount-table.interface';
import { ChildRunnerAdapter } from '../processes/child-runner.adapter';
import { loadServerSettings } from '../settings/server.settings';
import { deadlineIn, namedLimit } from './deadlines';
import { LayerUnmounter, type TakeOutResult } from './layer-unmounter';

const isRoot = process.getuid?.() === 0;

(isRoot ? describe : describe.skip)('LayerUnmounter (as root)', () => {
  let directory: string;
  let mountPath: string;
  const table = new MountTableAdapter();

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'unmounter-'));
    mountPath = join(directory, '-a b');
    await mkdir(mountPath);
  });

  afterEach(async () => {
    while ((await table.layersAt(mountPath)).length > 0) execFileSync('umount', [mountPath]);
    await rm(directory, { recursive: true });
  });

  function mount(source: string): void {
    execFileSync('mount', ['-t', 'tmpfs', source, mountPath]);
  }

  function takeOut(
    busySeconds = '0.2',
    commandPrefix: string[] = [],
    policy = '',
    withinMs = 5_000,
  ): Promise<TakeOutResult> {
    const settings = loadServerSettings({
      DMS_RABBITMQ_URL: 'amqp://none',
      DMS_RUN_DIR: directory,
      DMS_BUSY_TIMEOUT: busySeconds,
      DMS_UNMOUNT_POLICY: policy,
      DMS_CONFIG_FILE: '/none',
    });
    const isOurs = (layer: MountEntry): boolean => layer.source === 'ours';
    const unmounter = new LayerUnmounter(settings, table, new ChildRunnerAdapter(settings));
    return unmounter.takeOut(
      { targetId: 't', mountPath, isOurs, commandPrefix },
      deadlineIn(withinMs, namedLimit('DMS_UNMOUNT_TIMEOUT', withinMs)),
    );
  }

  it('takes out our layers, and is content where there is none', async () => {
    mount('ours');
    mount('ours');
    expect(await takeOut()).toEqual({ kind: 'out', harsh: null });
    expect(await table.layersAt(mountPath)).toEqual([]);
    expect(await takeOut()).toEqual({ kind: 'out', harsh: null });
  });

  it('leaves the mount of a stranger, also where it lies over ours', async () => {
    mount('theirs');
    expect(await takeOut()).toEqual({ kind: 'out', harsh: null });
    expect(await table.layersAt(mountPath)).toHaveLength(1);
    execFileSync('umount', [mountPath]);
    mount('ours');
    mount('theirs');
    expect(await takeOut()).toMatchObject({ kind: 'failed' });
    expect(await table.layersAt(mountPath)).toHaveLength(2);
  });

  it('is busy while a file is open, and goes on trying', async () => {
    mount('ours');
    const file = await open(join(mountPath, 'file'), 'w');
    expect(await takeOut()).toEqual({ kind: 'busy' });
    const later = takeOut('5');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await file.close();
    expect(await later).toEqual({ kind: 'out', harsh: null });
  });

  it.each([
    'umount: %: target is busy.',
    'umount: %: target is busy\n        (In some cases useful info about processes that use it is found by lsof(8).)',
    'umount.nfs4: %: device is busy',
    'umount.nfs: %: Device or resource busy',
    "umount: can't unmount %: Resource busy",
  ])('is busy where the umount program says "%s"', async (words) => {
    mount('ours');
    const prefix = ['sh', '-c', `echo "${words.replace('%', mountPath)}"; exit 32`];
    expect(await takeOut('0', prefix)).toEqual({ kind: 'busy' });
  });

  it('does not take the name of a mountpoint for what the umount program says', async () => {
    mount('ours');
    const words = 'umount: /base/a: target is busy: must be superuser to unmount.';
    expect(await takeOut('0', ['sh', '-c', `echo "${words}"; exit 32`])).toEqual({
      kind: 'failed',
      reason: words,
    });
  });

  it('takes out a mount that a probe of dms-server was inside of, once the probe is kept out', async () => {
    mount('ours');
    const probes = new MountProbeAdapter(new ChildRunnerAdapter({ runDir: directory }));
    const inside = join(mountPath, 'inside');
    const stay = (path: string): [string, ...string[]] =>
      ['sh', '-c', 'cd "$1" && touch "$2" && exec sleep 30', 'sh', path, inside]; // prettier-ignore
    const probe = probes.probe('t', mountPath, 30_000, stay);
    while (!existsSync(inside)) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await takeOut()).toEqual({ kind: 'busy' });
    expect(await probes.keepOut('t', () => takeOut())).toEqual({ kind: 'out', harsh: null });
    expect(await probe).toEqual({ kind: 'withdrawn' });
  });

  it('takes a busy one out lazily only where that is allowed', async () => {
    mount('ours');
    const file = await open(join(mountPath, 'file'), 'w');
    try {
      // A tmpfs has no server that could be given up: force does nothing to it.
      for (const policy of ['', 'force', 'term,kill']) {
        expect(await takeOut('0.1', [], policy)).toEqual({ kind: 'busy' });
      }
      expect(await takeOut('0.1', [], 'lazy')).toEqual({ kind: 'out', harsh: 'lazy' });
      expect(await table.layersAt(mountPath)).toEqual([]);
      await file.write('still written');
    } finally {
      await file.close();
    }
  });

  it('tells the words of a command that fails, or the setting that ended it', async () => {
    mount('ours');
    const prefix = ['sh', '-c', 'echo "not for you"; exit 1'];
    expect(await takeOut('0', prefix)).toEqual({ kind: 'failed', reason: 'not for you' });
    expect(await takeOut('0', ['sh', '-c', 'sleep 30'], '', 200)).toEqual({
      kind: 'failed',
      reason: 'umount did not return within DMS_UNMOUNT_TIMEOUT (0.2 s)',
    });
    expect(await takeOut('0', ['no-such-wrapper'])).toEqual({
      kind: 'failed',
      reason: 'no-such-wrapper: it is not installed',
    });
  });
});
