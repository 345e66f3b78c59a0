import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@app/contracts';
import { loadServerSettings } from '../settings/server.settings';
import { type DaemonEnvironment } from './fuse-supervisor';
import { FuseProcessesService } from './fuse-processes.service';
import { waitUntil } from './delay';
import { SessionLauncher } from './supervisor-launcher.adapter';

const MOUNT_PATH = '/base/target of tests';
const ID = 'target-1';

/** Stands in for a FUSE daemon: everything here is about processes, and nothing about mounts. */
describe('FuseProcessesService', () => {
  let directory: string;
  let processes: FuseProcessesService;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fuse-'));
    processes = newService();
  });

  afterEach(async () => {
    await processes.terminate(ID, MOUNT_PATH, 'SIGKILL');
    await processes.waitForExit(ID, MOUNT_PATH, 5_000);
    await rm(directory, { recursive: true, maxRetries: 5 });
    expect(await waitUntil(10_000, async () => ((await supervisors()).length === 0 ? true : null))).toBe(
      true,
    );
  });

  /** Processes that keep a daemon of this test. */
  async function supervisors(): Promise<string[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const commands = await Promise.all(
      pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
    );
    return commands.filter((command) => command.includes(directory));
  }

  function newService(): FuseProcessesService {
    const env = {
      DMS_RABBITMQ_URL: 'amqp://none',
      DMS_RUN_DIR: directory,
      DMS_PID_DIR: join(directory, 's3'),
    };
    const settings = loadServerSettings({ ...env, DMS_CONFIG_FILE: '/none' });
    return new FuseProcessesService(settings, new SessionLauncher());
  }

  function start(script: string, variables: DaemonEnvironment = {}): Promise<number> {
    return processes.spawn({
      targetId: ID,
      mountPath: MOUNT_PATH,
      program: 'sh',
      args: ['-c', script],
      environment: Promise.resolve({ vault_data_directory: MOUNT_PATH, ...variables }),
    });
  }

  const isUp = (): Promise<true | null> =>
    waitUntil(5_000, async () => ((await processes.find(ID))?.alive ? true : null));

  it('hands over the environment, to the daemon alone, and writes the PID file', async () => {
    const pid = await start('env >&2; echo ready; exec sleep 30', { KEY: 'a \\secret="x" $y', EMPTY: '' });
    await waitUntil(5_000, async () => (await processes.logTail(ID)).includes('ready') || null);
    const log = await processes.logTail(ID);
    expect(log).toContain('KEY=a \\secret="x" $y\n');
    expect(log).toContain('EMPTY=\n');
    expect(log).not.toContain('HOME=');
    expect(await readFile(processes.pidFile(ID), 'utf8')).toBe(`${pid}\n`);
    expect((await stat(processes.pidFile(ID))).mode & 0o777).toBe(0o644);
    expect((await stat(join(directory, 'fuse'))).mode & 0o077).toBe(0);
    const supervisor = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(' ')[3];
    expect(await readFile(`/proc/${supervisor}/environ`, 'utf8')).not.toContain('secret');
  });

  it('keeps the daemon’s secrets out of its log, however it says them, and out of core files', async () => {
    const secrets = {
      SHORTER: new Secret('0123-secret'),
      LONGER: new Secret('0123-secret-and-more'),
      ODD: new Secret('a/b&c\\1[d]*.^$"\'`e'),
      PLAIN: 'word',
    };
    const says = [
      'printf "%s" "[ERR] $SHORTER" >&2; sleep 0.1; printf "%s\\n" " and $LONGER$ODD$ODD, $PLAIN"',
      'printf "%.9s" "$LONGER"; sleep 0.1; echo "$LONGER" | cut -c 10-; ulimit -c; printf "%s" "$LONGER"',
    ];
    await start(says.join('; '), secrets);
    expect(await processes.waitForExit(ID, MOUNT_PATH, 5_000)).toMatchObject({
      errorLines: ['[ERR] *** and *********, word'],
    });
    expect(await processes.logTail(ID)).toBe('[ERR] *** and *********, word\n***\n0\n***');
  });

  it('finds a daemon again after a restart, and describes it', async () => {
    const pid = await start('exec sleep 30');
    await isUp();
    processes = newService();
    expect(await processes.find(ID)).toEqual({
      targetId: ID,
      pid,
      alive: true,
      mountPath: MOUNT_PATH,
      knownBy: 'record',
    });
    expect(await processes.list()).toEqual([
      {
        backup_target_id: ID,
        pid,
        alive: true,
        mount_path: MOUNT_PATH,
        started_at: expect.stringMatching(/^20.*Z$/) as string,
        rss_bytes: expect.any(Number) as number,
        cpu_percent: expect.any(Number) as number,
        state: expect.stringMatching(/^(sleeps|runs|waits)$/) as string,
      },
    ]);
    await expect(start('true')).rejects.toMatchObject({ code: 'MOUNT_FAILED' });
  });

  it.each([
    ['exit 0', { status: 0, cleanFlush: true, errorLines: [] }],
    ['exit 3', { status: 3, cleanFlush: false, errorLines: [] }],
    ['echo "[ERR] lost"; exit 0', { status: 0, cleanFlush: false, errorLines: ['[ERR] lost'] }],
    ['kill -9 $$', { status: 137, cleanFlush: false, errorLines: [] }],
    // After so much the first words are lost, and an error may have been among them.
    ['yes | head -c 2000000; exit 0', { status: 0, cleanFlush: null, errorLines: [] }],
  ])('knows of "%s" how it ended', async (script, exit) => {
    await start(script);
    expect(await processes.waitForExit(ID, MOUNT_PATH, 10_000)).toEqual(exit);
    expect(await readdir(join(directory, 's3'))).toEqual([]);
    await processes.forget(ID);
    expect(await processes.find(ID)).toBeNull();
    expect(await readdir(join(directory, 'fuse'))).toEqual([]);
  });

  it('is never blocked by what the daemon says, and keeps a bounded part of it', async () => {
    await start('yes | head -c 5000000; echo through; exec sleep 30');
    const isThrough = await waitUntil(
      10_000,
      async () => (await processes.logTail(ID)).includes('through') || null,
    );
    expect(isThrough).toBe(true);
    expect((await processes.logTail(ID)).length).toBeLessThan(800_000);
  });

  it('does not wait for a helper that holds the output open', async () => {
    await start('sleep 2 & exit 0');
    expect(await processes.waitForExit(ID, MOUNT_PATH, 1_900)).toMatchObject({ status: 0, cleanFlush: true });
    await processes.forget(ID);
  });

  it('starts nothing where the environment does not come', async () => {
    const marker = join(directory, 'started');
    const environment = Promise.reject(new Error('no keys'));
    const plan = { targetId: ID, mountPath: MOUNT_PATH, program: 'touch', args: [marker], environment };
    await expect(processes.spawn(plan)).rejects.toThrow('no keys');
    await expect(start('touch "$0"', { BAD: 'a\nb' })).rejects.toThrow('BAD');
    expect(await processes.find(ID)).toBeNull();
    expect(await readdir(directory)).not.toContain('started');
    expect(await readdir(join(directory, 's3'))).toEqual([]);
  });

  it('says what is not installed', async () => {
    await processes.spawn({
      targetId: ID,
      mountPath: MOUNT_PATH,
      program: '/no/such/program',
      args: [],
      environment: Promise.resolve({}),
    });
    expect(await processes.waitForExit(ID, MOUNT_PATH, 5_000)).toMatchObject({
      status: 127,
      cleanFlush: false,
    });
    expect(await processes.logTail(ID)).toContain('/no/such/program');
  });

  it('signals the daemon, and not its supervisor', async () => {
    await start('trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done');
    await waitUntil(5_000, async () => (await processes.logTail(ID)).includes('ready') || null);
    expect(await processes.terminate(ID, MOUNT_PATH, 'SIGTERM')).toBe(true);
    expect(await processes.waitForExit(ID, MOUNT_PATH, 5_000)).toMatchObject({ status: 9 });
    expect(await processes.terminate(ID, MOUNT_PATH, 'SIGTERM')).toBe(false);
  });

  it('keeps a daemon that still runs on record', async () => {
    await start('exec sleep 30');
    await isUp();
    await processes.forget(ID);
    expect(await processes.find(ID)).toMatchObject({ alive: true });
  });

  describe('with a PID file that somebody wrote', () => {
    it('shows the process, and signals it only if it serves the mount', async () => {
      const stranger = spawn('sleep', ['30'], { stdio: 'ignore' });
      const daemon = spawn('sleep', ['30'], {
        stdio: 'ignore',
        env: { PATH: process.env.PATH, vault_data_directory: MOUNT_PATH },
      });
      await mkdir(join(directory, 's3'));
      await writeFile(processes.pidFile(ID), `${stranger.pid}\n`);
      expect(await processes.find(ID)).toMatchObject({
        pid: stranger.pid,
        alive: true,
        mountPath: null,
        knownBy: 'pid-file',
      });
      expect(await processes.terminate(ID, MOUNT_PATH, 'SIGKILL')).toBe(false);
      await writeFile(processes.pidFile(ID), `${daemon.pid}\n`);
      expect(await processes.find(ID)).toMatchObject({ pid: daemon.pid, mountPath: MOUNT_PATH });
      const exits = [once(stranger, 'exit'), once(daemon, 'exit')];
      expect(await processes.terminate(ID, MOUNT_PATH, 'SIGKILL')).toBe(true);
      stranger.kill('SIGKILL');
      await Promise.all(exits);
    });

    it('replaces a symbolic link, and does not write through it', async () => {
      await mkdir(join(directory, 's3'));
      await writeFile(join(directory, 'precious'), 'untouched');
      await symlink(join(directory, 'precious'), processes.pidFile(ID));
      const pid = await start('exec sleep 30');
      await isUp();
      expect(await readFile(processes.pidFile(ID), 'utf8')).toBe(`${pid}\n`);
      expect(await readFile(join(directory, 'precious'), 'utf8')).toBe('untouched');
    });
  });
});
