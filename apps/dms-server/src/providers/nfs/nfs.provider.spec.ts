import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { parseTargetRequest } from '@app/contracts';
import { type MountedAs } from '../../fence/target-record';
import { MountProbeAdapter } from '../../kernel/mount-probe.adapter';
import { MountTableAdapter } from '../../kernel/mount-table.adapter';
import { type MountEntry } from '../../kernel/mount-table.interface';
import { ChildRunnerAdapter } from '../../processes/child-runner.adapter';
import { loadServerSettings } from '../../settings/server.settings';
import { deadlineIn } from '../deadlines';
import { LayerUnmounter } from '../layer-unmounter';
import { type MountPlan } from '../target-provider.interface';
import { type PingAnswer } from './nfs-ping.interface';
import { mountCommand, NfsProvider } from './nfs.provider';
import { ServerBreaker } from './server-breaker';

// What the services log is of no interest here.
Logger.overrideLogger(false);

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
    return new NfsProvider(settings, children, table, probe, unmounter, breaker, { ping: () => ping });
  }

  it('tells the words of mount(8), through the words of DMS_ROOTWRAP', async () => {
    const plan = planFor(join(directory, 'mnt'));
    await expect(
      providerWith('echo wrapped').mount(plan, Promise.resolve(), deadlineIn(5_000)),
    ).rejects.toMatchObject({
      code: 'MOUNT_FAILED',
      message: 'mount(8) reported success, but server.example:/export is not mounted.',
    });
    await expect(
      providerWith('sh -c echo${IFS}"mount.nfs:no";exit${IFS}32').mount(
        plan,
        Promise.resolve(),
        deadlineIn(5_000),
      ),
    ).rejects.toMatchObject({ code: 'MOUNT_FAILED', message: 'mount.nfs:no' });
    await expect(
      providerWith('no-such-wrapper').mount(plan, Promise.resolve(), deadlineIn(5_000)),
    ).rejects.toMatchObject({
      code: 'MOUNT_FAILED',
      message: 'no-such-wrapper: it is not installed',
    });
    expect(await readdir(join(directory, 'run', 'children'))).toEqual([]);
  });

  it('fails with the words of the real mount(8), and leaves nothing', async () => {
    const provider = providerWith();
    const error: unknown = await provider
      .mount(planFor(join(directory, 'mnt')), Promise.resolve(), deadlineIn(20_000))
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'MOUNT_FAILED',
      message: expect.stringMatching(/mount|mnt/) as string,
    });
    expect(await new MountTableAdapter().layersAt(join(directory, 'mnt'))).toEqual([]);
  });

  it('does not know the outcome of a mount that was killed at its deadline', async () => {
    const slow = providerWith('sh -c sleep${IFS}30').mount(
      planFor(join(directory, 'mnt')),
      Promise.resolve(),
      deadlineIn(200),
    );
    await expect(slow).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('calls no mount(8) for a server that does not answer, and not even asks it again at once', async () => {
    const provider = providerWith('sh -c echo${IFS}"called"');
    const mount = (): Promise<unknown> =>
      provider.mount(planFor(join(directory, 'mnt')), Promise.resolve(), deadlineIn(5_000));
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
  });
});
