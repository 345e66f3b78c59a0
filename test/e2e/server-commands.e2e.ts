import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fleet } from '../fleet/fleet';
import { Jobs } from '../fleet/jobs';
import { mountsBelow } from '../fleet/mount-table';
import { s3fsProcesses } from '../fleet/node-look';
import { PROGRAMS } from '../fleet/programs';
import { serverEnvironment } from '../fleet/server-environment';
import { type CommandResult, processState, runCommand, waitFor } from '../rig';
import { describeOnRig } from './on-rig';

/** A crash is promised to be told within 2 seconds; a promise is asserted at three times its value. */
const TOLD_MS = 3 * 2_000;

interface Shown {
  readonly processes: readonly {
    backup_target_id: string;
    pid: number;
    alive: boolean;
    mounted: boolean;
    mount_path: string;
    rss_bytes: number | null;
  }[];
}
interface Checks {
  readonly checks: readonly { name: string; result: string; detail: string }[];
}

describeOnRig('dms-server', (rig) => {
  let fleet: Fleet;
  let jobs: Jobs;
  let holder: ChildProcess | null = null;

  beforeAll(async () => {
    fleet = await Fleet.start(rig, {
      nodeSettings: { DMS_BUSY_TIMEOUT: '0.5' },
      clientSettings: { DMS_SETTLE_INTERVAL: '0.5' },
    });
    jobs = new Jobs(fleet);
  });
  afterAll(async () => {
    holder?.kill('SIGKILL');
    await fleet?.stop();
  });

  const environmentWith = (settings: Readonly<Record<string, string>>): Record<string, string> => {
    const { node } = fleet;
    return serverEnvironment({
      host: node.host,
      directory: dirname(node.base),
      base: node.base,
      runDirectory: node.runDirectory,
      pidDirectory: node.pidDirectory,
      healthPort: 0,
      brokerUrl: fleet.brokerUrl,
      authUrl: rig.cloud?.authUrl,
      settings,
    });
  };
  const command = (
    words: readonly string[],
    changes: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> =>
    runCommand(process.execPath, [PROGRAMS.server, ...words], {
      environment: environmentWith(changes),
      timeoutMs: 60_000,
      expected: [1, 2, 75],
    });
  const shown = async (): Promise<Shown['processes']> =>
    (JSON.parse((await command(['processes', '--format', 'json'])).stdout) as Shown).processes;

  it('processes: shows what serves the mounts, for people and for programs, also while no server runs', async () => {
    const target = await fleet.targets.s3('shown');
    const path = String((await jobs.mount(1, target)).body.mount_path);
    const [pid] = s3fsProcesses(target.bucket);
    const expected = { backup_target_id: target.id, pid, alive: true, mounted: true, mount_path: path };
    expect(await shown()).toContainEqual(expect.objectContaining(expected));

    await fleet.node.stop();
    expect(await shown()).toContainEqual(expect.objectContaining(expected));
    const table = (await command(['processes'])).stdout;
    expect(table).toMatch(new RegExp(`^${target.id} +${pid} +yes +(sleeps|runs|waits) +yes +\\d+ MiB`, 'm'));
    expect(table).toContain('Total: 1, alive: 1, dead: 0');
    const environment = { DMS_RUN_DIR: fleet.node.runDirectory, DMS_PID_DIR: fleet.node.pidDirectory };
    const alone = await runCommand(process.execPath, [PROGRAMS.server, 'processes'], {
      environment,
      timeoutMs: 60_000,
    });
    expect(alone.stdout).toMatch(new RegExp(`^${target.id} +${pid} +yes +(sleeps|runs|waits) +yes`, 'm'));
    expect((await command(['processes', '--detailed'])).stdout).toContain(
      join(fleet.node.pidDirectory, `${target.id}.pid`),
    );
    const asked = await command(['processes', '--kill', String(pid)]);
    expect(asked).toMatchObject({ status: 75, stdout: '' });
    expect(asked.stderr).toMatch(/^dms-server: NODE_UNREACHABLE: No dms-server can be asked/);
    expect(processState(pid)).toBeDefined();
    await fleet.node.start();
    await jobs.unmount(1, target);
  });

  it('processes --watch: goes on until it is interrupted', async () => {
    const environment = serverEnvironment({
      host: fleet.node.host,
      directory: dirname(fleet.node.base),
      base: fleet.node.base,
      runDirectory: fleet.node.runDirectory,
      pidDirectory: fleet.node.pidDirectory,
      healthPort: 0,
      brokerUrl: fleet.brokerUrl,
    });
    const watch = spawn(process.execPath, [PROGRAMS.server, 'processes', '--watch', '--format', 'json'], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    watch.stdout.on('data', (chunk) => (said += String(chunk)));
    const ended = once(watch, 'exit');
    try {
      await waitFor(() => said.split('\n').length > 2, { timeoutMs: 30_000, what: 'the second look' });
    } finally {
      watch.kill('SIGINT');
    }
    expect(await ended).toEqual([null, 'SIGINT']);
  });

  it('processes --kill: refuses a busy mount, unmounts an idle one with all that was written, and it is told', async () => {
    const target = await fleet.targets.s3('ended');
    const path = String((await jobs.mount(1, target)).body.mount_path);
    const [pid] = s3fsProcesses(target.bucket);
    await writeFile(join(path, 'file'), 'kept');
    holder = spawn('sleep', ['300'], { cwd: path, stdio: 'ignore' });
    await once(holder, 'spawn');
    const refused = await command(['processes', '--kill', String(pid)]);
    expect(refused.status).toBe(75);
    expect(refused.stderr).toContain(`BUSY: ${path} is in use by sleep (${holder.pid}, ${path})`);
    expect(processState(pid)).toBeDefined();
    holder.kill('SIGKILL');
    await once(holder, 'exit');

    const done = await command(['processes', '--kill', String(pid)]);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toContain('it has flushed');
    expect(processState(pid)).toBeUndefined();
    expect(mountsBelow(path)).toEqual([]);
    expect((await fleet.targets.store.getObject(target.bucket, 'file')).toString()).toBe('kept');
    await waitFor(async () => (await jobs.binding(1, target.id)) === 'lost', {
      timeoutMs: TOLD_MS,
      what: 'the job to be told',
    });
  });

  it('processes --kill --force: ends it under those who use it, who get errors, and they are told', async () => {
    const target = await fleet.targets.s3('forced');
    const path = String((await jobs.mount(1, target)).body.mount_path);
    const [pid] = s3fsProcesses(target.bucket);
    holder = spawn('sleep', ['300'], { cwd: path, stdio: 'ignore' });
    await once(holder, 'spawn');
    const done = await command(['processes', '--kill', String(pid), '--force']);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(processState(pid)).toBeUndefined();
    await waitFor(async () => (await jobs.binding(1, target.id)) === 'lost', {
      timeoutMs: TOLD_MS,
      what: 'the job to be told',
    });
    holder.kill('SIGKILL');
    await waitFor(async () => (await jobs.target(target.id))?.state === 'ABSENT', {
      timeoutMs: 60_000,
      what: 'the dead layer to be taken out',
    });
  });

  it('processes --cleanup: removes what dead processes left, and nothing of a stranger', async () => {
    const stale = join(fleet.node.pidDirectory, 'stale.pid');
    const stranger = join(fleet.node.pidDirectory, 'stranger.pid');
    const ended = spawn('true', { stdio: 'ignore' });
    await once(ended, 'exit');
    await writeFile(stale, `${ended.pid}\n`);
    await writeFile(stranger, `${process.pid}\n`);
    const done = await command(['processes', '--cleanup']);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect([existsSync(stale), existsSync(stranger)]).toEqual([false, true]);
    const refused = await command(['processes', '--kill', String(process.pid), '--force']);
    expect(refused.stderr).toContain('NOT_FOUND');
  });

  it.each(['processes --watch', 'check', '--help'])(
    '%s ends without a word where its reader has gone',
    async (words) => {
      const script = '"$0" "$@" | true; echo "${PIPESTATUS[0]}" >&2';
      const program = [process.execPath, PROGRAMS.server, ...words.split(' ')];
      const options = { environment: environmentWith({}), timeoutMs: 60_000 };
      expect((await runCommand('/bin/bash', ['-c', script, ...program], options)).stderr).toBe('0\n');
    },
  );

  it('does not start on a port that is in use, and names the setting', async () => {
    const directory = join(fleet.directory, 'second');
    const { status, stderr } = await command([], {
      DMS_NODE_ID: 'second',
      DMS_RUN_DIR: directory,
      DMS_PID_DIR: join(directory, 's3'),
      DMS_HEALTH_PORT: new URL(fleet.node.healthUrl).port,
    });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining('DMS_HEALTH_PORT: port ') as unknown,
    });
  });

  it.each([
    [['processes', '--kill', 'x']],
    [['processes', '--force']],
    [['processes', '--watch', '--cleanup']],
    [['processes', '--kill', '1', '--cleanup']],
    [['processes', '--format', 'xml']],
    [['processes', 'extra']],
    [['check', '--watch']],
    [['proceses']],
  ])('%j is wrong use', async (words) => {
    const { status, stdout, stderr } = await command(words);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).not.toBe('');
  });

  it('check: finds nothing wrong with a node that runs, and does not disturb it', async () => {
    const { status, stdout } = await command(['check', '--format', 'json']);
    const { checks } = JSON.parse(stdout) as Checks;
    expect(checks.filter(({ result }) => result === 'failed')).toEqual([]);
    expect(status).toBe(0);
    const fine = checks.filter(({ result }) => result === 'ok').map(({ name }) => name);
    expect(fine).toEqual(
      expect.arrayContaining(['configuration', 'rights', '/dev/fuse', 'kernel fuse', 'broker', 'Keystone']),
    );
    expect(fine).toContain(`mount base ${fleet.node.base}`);
    expect(await fleet.node.ready()).toBe(true);
  });

  it('check: names each thing that is wrong, and no secret', async () => {
    const broker = new URL(fleet.brokerUrl);
    broker.password = 'wrong-but-secret';
    const wrong = await command(['check'], {
      DMS_RABBITMQ_URL: broker.href,
      DMS_AUTH_URL: 'http://127.0.0.1:1/v3',
      DMS_MOUNT_BASE: '/proc/version',
      DMS_S3VAULTFUSE_BIN: '/nonexistent',
    });
    expect(wrong.status).toBe(1);
    expect(wrong.stdout).toMatch(/^failed +broker +refuses the login \(DMS_RABBITMQ_URL: amqp:\/\/127/m);
    expect(wrong.stdout).toMatch(/^failed +Keystone +Keystone refuses the connection/m);
    expect(wrong.stdout).toMatch(/^failed +mount base \/proc\/version +is not a directory/m);
    expect(wrong.stdout + wrong.stderr).not.toContain('wrong-but-secret');

    const file = join(fleet.directory, 'misspelt.conf');
    await writeFile(file, '[server]\nmount_base = /elsewhere\n');
    const misspelt = await command(['check'], { DMS_CONFIG_FILE: file });
    expect(misspelt.stdout).toMatch(
      /^warning +configuration +.*misspelt\.conf: "mount_base" is no known setting/m,
    );

    const bad = await command(['check'], { DMS_BUSY_TIMEOUT: 'soon', DMS_HEALTH_PORT: 'high' });
    expect(bad.status).toBe(1);
    expect(bad.stdout.match(/^failed +configuration +DMS_(BUSY_TIMEOUT|HEALTH_PORT): /gm)).toHaveLength(2);
  });
});
