import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { EventReader } from '../fleet/event-reader';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { s3fsProcesses } from '../fleet/node-look';
import { type NodeProcess } from '../fleet/node-process';
import { type S3Target } from '../fleet/targets';
import { processState, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

/** Promised: a crash is seen within 2 seconds, a hang within 15. A promise is asserted at three times its value. */
const CRASH_SEEN_MS = 3 * 2_000;
const HANG_SEEN_MS = 3 * 15_000;
const CLEANED_MS = 60_000;
/** All that a test waits for. */
const PROMISES_MS = HANG_SEEN_MS + 3 * CLEANED_MS;

/** A program of a job, with all that it said. */
interface Reader {
  readonly process: ChildProcess;
  readonly words: () => string;
  readonly ended: Promise<unknown>;
}

describeOnRig('the FUSE daemon of a mount', (rig) => {
  let fleet: Fleet;
  let jobs: Jobs;
  let cutting: NodeProcess;
  let events: EventReader;
  const readers: Reader[] = [];
  const stopped = new Set<number>();

  beforeAll(async () => {
    const settings = { DMS_UNMOUNT_TIMEOUT: '5', DMS_BUSY_TIMEOUT: '0.5' };
    // What is noticed here is noticed by the node.
    const clientSettings = { DMS_RECONCILE_INTERVAL: '0', DMS_SETTLE_INTERVAL: '0.5' };
    fleet = await Fleet.start(rig, { nodeSettings: settings, clientSettings });
    cutting = fleet.addNode({ ...settings, DMS_FUSE_ABORT: 'true' });
    await cutting.start();
    await fleet.acquainted();
    jobs = new Jobs(fleet);
    events = await EventReader.open(`${fleet.clients[0].url}/api/v1/events`);
  }, 90_000);
  afterAll(async () => {
    for (const pid of stopped) if (processState(pid) !== undefined) process.kill(pid, 'SIGCONT');
    for (const { process: reader } of readers) reader.kill('SIGKILL');
    await events?.close();
    await fleet?.stop();
  });

  const run = (script: string, ...args: string[]): Reader => {
    const child = spawn('sh', ['-c', script, 'sh', ...args], { cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    for (const pipe of [child.stdout, child.stderr]) pipe.on('data', (chunk) => (said += String(chunk)));
    const reader = { process: child, words: () => said, ended: once(child, 'close') };
    readers.push(reader);
    return reader;
  };
  const daemonOf = (target: S3Target): number => {
    const [pid, ...others] = s3fsProcesses(target.bucket);
    expect(others).toEqual([]);
    return pid;
  };
  const mountIdAt = (path: string): string[] => mountsBelow(path).map((line) => line.split(' ')[0] ?? '');
  const mounted = async (
    name: string,
    host = fleet.node.host,
  ): Promise<{ target: S3Target; path: string }> => {
    const target = await fleet.targets.s3(name);
    await fleet.targets.store.putObject(target.bucket, 'file', 'what a job reads');
    const { body } = await jobs.mount(1, target, { host });
    expect(body).toMatchObject({ status: 'success' });
    return { target, path: String(body.mount_path) };
  };
  const told = async (target: S3Target, withinMs: number): Promise<void> => {
    const kinds = (): string[] =>
      events.events.filter(({ backup_target_id }) => backup_target_id === target.id).map(({ kind }) => kind);
    await waitFor(
      async () =>
        (await jobs.binding(1, target.id)) === 'lost' && ['broken', 'lost'].every((k) => kinds().includes(k)),
      {
        timeoutMs: withinMs,
        what: `the holder of ${target.id} to be told that it is broken (${kinds().join()})`,
      },
    );
  };
  /** A new job gets a mount of its own as soon as the old one is out. */
  const mountedAnew = async (
    target: S3Target,
    path: string,
    former: number,
    host?: string,
  ): Promise<void> => {
    await waitFor(async () => (await jobs.mount(2, target, { host })).body.status === 'success', {
      timeoutMs: CLEANED_MS,
      intervalMs: 500,
      what: `a new mount of ${target.id}`,
    });
    expect(mountIdAt(path)).toHaveLength(1);
    // Ids of mounts are given away again at once, those of processes are not.
    expect(daemonOf(target)).not.toBe(former);
    expect(readFileSync(`${path}/file`, 'utf8')).toBe('what a job reads');
    expect((await jobs.unmount(2, target, { host })).body).toMatchObject({ unmounted: true });
  };

  it(
    'that is killed gives errors to running jobs, is told at once, and a new job waits for the old layer',
    async () => {
      const { target, path } = await mounted('killed');
      // It works in the mount, so that the dead layer cannot go before it has.
      const reader = run('cd "$1" && echo there && read -r go; cat file; read -r go', path);
      await waitFor(() => reader.words().includes('there'), {
        timeoutMs: 10_000,
        what: 'a job in the mount',
      });
      const layer = mountIdAt(path);
      const daemon = daemonOf(target);
      process.kill(daemon, 'SIGKILL');
      await told(target, CRASH_SEEN_MS);
      reader.process.stdin?.write('go\n');
      await waitFor(() => reader.words().includes('Transport endpoint is not connected'), {
        timeoutMs: 10_000,
        what: 'an error for the job',
      });
      const { status, body } = await jobs.mount(2, target);
      expect({ status, ...body }).toMatchObject({ status: 'error', error_code: 'BUSY' });
      expect(String(body.error_msg)).toContain(`(${reader.process.pid}, ${path})`);
      expect(mountIdAt(path)).toEqual(layer);
      reader.process.stdin?.end('go\n');
      await reader.ended;
      await mountedAnew(target, path, daemon);
    },
    PROMISES_MS,
  );

  it(
    'that hangs is told, and nothing is cut where nobody said so',
    async () => {
      const { target, path } = await mounted('hangs');
      const daemon = daemonOf(target);
      stopped.add(daemon);
      process.kill(daemon, 'SIGSTOP');
      const reader = run('cat "$1/file"', path);
      await told(target, HANG_SEEN_MS);
      expect({ daemon: processState(daemon)?.state, words: reader.words() }).toEqual({
        daemon: 'T',
        words: '',
      });
      expect(reader.process.exitCode).toBeNull();
      expect(mountIdAt(path)).toHaveLength(1);
      expect((await jobs.mount(2, target)).body).toMatchObject({
        error_code: 'BUSY',
        error_msg: expect.stringContaining(`dms-server processes --kill ${daemon} --force`) as unknown,
      });

      process.kill(daemon, 'SIGCONT');
      await reader.ended;
      expect(reader.words()).toBe('what a job reads');
      await mountedAnew(target, path, daemon);
    },
    PROMISES_MS,
  );

  it(
    'that hangs and that nobody uses is taken away by itself, and a new job gets a clean mount',
    async () => {
      const { target, path } = await mounted('idle');
      const daemon = daemonOf(target);
      stopped.add(daemon);
      process.kill(daemon, 'SIGSTOP');
      await told(target, HANG_SEEN_MS);
      await waitFor(async () => (await jobs.target(target.id))?.state === 'ABSENT', {
        timeoutMs: CLEANED_MS,
        what: 'the hung mount to be gone',
      });
      expect(processState(daemon)).toBeUndefined();
      await mountedAnew(target, path, daemon);
    },
    PROMISES_MS,
  );

  it(
    'that hangs is cut off where the node is told so: who waits gets an error, and new jobs a clean mount',
    async () => {
      const { target, path } = await mounted('cut', cutting.host);
      const daemon = daemonOf(target);
      stopped.add(daemon);
      process.kill(daemon, 'SIGSTOP');
      const waiting = ['cat "$1/file"', 'ls "$1"', 'echo lost > "$1/new"'].map((script) => run(script, path));
      await told(target, HANG_SEEN_MS);
      await Promise.all(waiting.map(({ ended }) => ended));
      for (const { process: reader, words } of waiting) {
        expect(reader.exitCode).not.toBe(0);
        expect(words()).toMatch(/connection abort|not connected/i);
      }
      await mountedAnew(target, path, daemon, cutting.host);
      expect(processState(daemon)).toBeUndefined();
      expect(s3fsProcesses(target.bucket)).toEqual([]);
    },
    PROMISES_MS,
  );

  it(
    'that is left without a mount is removed, and a new job gets a clean mount',
    async () => {
      const { target, path } = await mounted('left');
      const daemon = daemonOf(target);
      stopped.add(daemon);
      process.kill(daemon, 'SIGSTOP');
      execFileSync('umount', ['-l', path]);
      await waitFor(async () => (await jobs.target(target.id))?.state === 'ABSENT', {
        timeoutMs: CLEANED_MS,
        what: 'the daemon without a mount to be removed',
      });
      expect(processState(daemon)).toBeUndefined();
      await mountedAnew(target, path, daemon);
    },
    PROMISES_MS,
  );

  it(
    'that is left without a mount and still serves an open file is named, and goes when that is closed',
    async () => {
      const { target, path } = await mounted('kept');
      const daemon = daemonOf(target);
      const reader = run('exec 3<"$1/file" && echo there && read -r go && cat <&3', path);
      await waitFor(() => reader.words().includes('there'), { timeoutMs: 10_000, what: 'an open file' });
      execFileSync('umount', ['-l', path]);
      await waitFor(
        async () => String((await jobs.mount(2, target)).body.error_msg).includes(`process ${daemon}`),
        { timeoutMs: CLEANED_MS, intervalMs: 500, what: 'an answer that names the daemon' },
      );
      expect(processState(daemon)).toBeDefined();
      reader.process.stdin?.end('go\n');
      await reader.ended;
      expect(reader.words()).toContain('what a job reads');
      await mountedAnew(target, path, daemon);
    },
    PROMISES_MS,
  );
});
