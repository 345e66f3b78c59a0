import { Logger } from '@nestjs/common';
import { type ServerSettings } from '../../settings/server.settings';
import { MountProbeAdapter } from '../../kernel/mount-probe.adapter';
import { type ChildOutcome } from '../../processes/child-runner.interface';
import { FakeKernel } from '../../testing/fake-kernel';
import { NfsAwareProbe } from './nfs-aware-probe';
import { FakeReplies } from '../../testing/fake-replies';
import { ServerBreaker } from './server-breaker';
import { SlowServers } from './slow-servers';

// What the services log is of no interest here.
Logger.overrideLogger(false);

const failed = (reason: string): ChildOutcome => ({
  ...{ kind: 'exited', code: 1, signal: null },
  output: `stat: cannot read file system information for '/m': ${reason}\n`,
});

describe('a look into an NFS mount', () => {
  let kernel: FakeKernel;
  let breaker: ServerBreaker;
  let probe: NfsAwareProbe;

  let replies: FakeReplies;
  const probeWith = (probes: MountProbeAdapter): NfsAwareProbe =>
    new NfsAwareProbe(kernel, breaker, probes, replies, new SlowServers());

  beforeEach(() => {
    replies = new FakeReplies();
    kernel = new FakeKernel();
    const settings = { nfsServerConcurrency: 4, nfsServerPauseMs: 60_000 } as ServerSettings;
    breaker = new ServerBreaker(settings, kernel);
    probe = probeWith(new MountProbeAdapter(kernel));
    kernel.mountLayer('/m', 'server:/export');
  });

  it('takes a stale handle for a dead mount, and a client without its server for silence', async () => {
    kernel.childOutcome = failed('Stale file handle');
    expect(await probe.probe('t', '/m', 5_000)).toEqual({ kind: 'dead', reason: 'Stale file handle' });
    expect(breaker.silentFor('server:2049')).toBeNull();
    kernel.childOutcome = failed('Connection timed out');
    expect(await probe.probe('t', '/m', 5_000)).toEqual({ kind: 'silent' });
    expect(breaker.silentFor('server:2049')).not.toBeNull();
  });

  it('starts no child while the server is left alone; a mount of another kind is looked into all the same', async () => {
    breaker.noteSilence('server:2049');
    expect(await probe.probe('t', '/m', 5_000)).toEqual({ kind: 'silent' });
    expect(kernel.log).toEqual([]);
    kernel.mountLayer('/f', 'bucket', { fstype: 'fuse.s3fs' });
    expect(await probe.probe('f', '/f', 5_000)).toEqual({ kind: 'answers' });
    expect(kernel.log).toEqual(['run stat']);
  });

  it('takes a look that the server still answers when its time is over for answered, and asks on', async () => {
    kernel.childOutcome = { kind: 'deadline', gone: true, output: '' };
    replies.answering = true;
    expect(await probe.probe('t', '/m', 5_000)).toEqual({ kind: 'answers', slowly: true });
    expect(breaker.silentFor('server:2049')).toBeNull();
    replies.answering = false;
    expect(await probe.probe('t', '/m', 5_000)).toEqual({ kind: 'silent' });
    expect(breaker.silentFor('server:2049')).not.toBeNull();
  });

  it('takes no replies to another look for its own', async () => {
    replies.answering = true;
    kernel.left.set('probe/t', 1);
    expect(await probe.probe('t', '/m', 5_000)).toMatchObject({ kind: 'silent', notAsked: true });
    const late = new MountProbeAdapter(kernel);
    jest.spyOn(late, 'probe').mockImplementation(async (_id, path, _ms, command) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      command?.(path);
      return { kind: 'silent' };
    });
    expect(await probeWith(late).probe('u', '/m', 300)).toEqual({ kind: 'silent' });
  });

  it('takes no stale handle for a slow server', async () => {
    kernel.childOutcome = failed('Stale file handle');
    replies.answering = true;
    expect(await probe.probe('t', '/m', 5_000)).toMatchObject({ kind: 'dead' });
  });

  it('blames no server for a look that an unmount has ended', async () => {
    const probes = new MountProbeAdapter(kernel);
    jest.spyOn(probes, 'probe').mockResolvedValue({ kind: 'withdrawn' });
    probe = probeWith(probes);
    expect(await probe.probe('t', '/m', 5_000)).toEqual({ kind: 'withdrawn' });
    expect(breaker.silentFor('server:2049')).toBeNull();
  });

  it('blames no server for a look that had no time', async () => {
    kernel.childOutcome = { kind: 'deadline', gone: true, output: '' };
    expect(await probe.probe('t', '/m', 100)).toEqual({ kind: 'silent' });
    expect(breaker.silentFor('server:2049')).toBeNull();
    await probe.probe('t', '/m', 5_000);
    expect(breaker.silentFor('server:2049')).not.toBeNull();
  });
});
