import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fleet } from '../fleet/fleet';
import { FuseProgram } from '../fleet/fuse-program';
import { mountsBelow } from '../fleet/mount-table';
import { type RunOptions, RunProcess } from '../fleet/run-command';
import { type S3Target } from '../fleet/targets';
import { describeOnRig } from './on-rig';

const SIGNALS = ['INT', 'TERM', 'HUP', 'QUIT', 'USR1', 'USR2'] as const;
/** Says each signal that comes, and ends with 7 when it is told to. */
const LISTENER = [
  ...SIGNALS.map((name) => `trap 'n${name}=$((n${name}+1)); echo ${name} $n${name}' ${name}`),
  'echo ready; while ! [ -e "$0" ]; do sleep 0.05; done; exit 7',
].join('\n');

describeOnRig('dms run', (rig) => {
  let fleet: Fleet;
  let fuse: FuseProgram;
  let target: S3Target;
  let jobid = 0;
  const runs: RunProcess[] = [];

  beforeAll(async () => {
    fuse = await FuseProgram.create(join(rig.directory, 'run-command-fuse'));
    fleet = await Fleet.start(rig, { nodeSettings: { DMS_S3VAULTFUSE_BIN: fuse.path } });
    await fleet.acquainted();
    target = await fleet.targets.s3('run');
  });
  afterEach(() => expect(mountsBelow(fleet.node.base)).toEqual([]));
  afterAll(async () => {
    for (const run of runs) run.kill();
    await fleet?.stop();
  });

  const start = async (
    options: Omit<RunOptions, 'jobid' | 'target'> & { target?: S3Target },
  ): Promise<RunProcess> => {
    const run = await RunProcess.start(fleet, { target, ...options, jobid: (jobid += 1) });
    runs.push(run);
    return run;
  };

  it('leaves the bytes of all three streams as they are', async () => {
    const bytes = randomBytes(1_000_000);
    const command = ['/bin/sh', '-c', 'cd "$DMS_MOUNT_PATH" && cat >copy && cat copy && cat copy >&2'];
    const run = await start({ command, options: ['--quiet'] });
    run.input.end(bytes);
    expect(await run.end()).toBe(0);
    expect([run.stdout.equals(bytes), run.stderr.equals(bytes)]).toEqual([true, true]);
    expect((await fleet.targets.store.getObject(target.bucket, 'copy')).equals(bytes)).toBe(true);
  });

  it('says on standard error in lines what it does, where that is no terminal', async () => {
    const run = await start({ command: ['false'] });
    expect(await run.end()).toBe(1);
    const where = `${target.id} on ${fleet.node.host}`;
    expect(run.stderr.toString()).toBe(
      `dms: mounted ${where} at ${join(fleet.node.base, target.id)}\ndms: unmounted ${where}\n`,
    );
    expect(run.stdout).toHaveLength(0);
  });

  it('tells programs its steps at a descriptor of their choice', async () => {
    const run = await start({
      command: ['/bin/sh', '-c', 'kill -KILL $$'],
      options: ['--json-to', '3', '--quiet'],
      descriptor3: true,
    });
    expect(await run.end()).toBe(137);
    const events = run.extra.toString().trimEnd().split('\n');
    expect(events.map((line) => JSON.parse(line) as object)).toEqual([
      expect.objectContaining({
        event: 'mounting',
        jobid,
        backup_target_id: target.id,
        host: fleet.node.host,
      }),
      expect.objectContaining({ event: 'mounted', mount_path: join(fleet.node.base, target.id) }),
      expect.objectContaining({ event: 'started', pid: expect.any(Number) as number }),
      expect.objectContaining({ event: 'ended', status: 137, signal: 'SIGKILL' }),
      expect.objectContaining({ event: 'unmounting' }),
      expect.objectContaining({ event: 'unmounted', unmounted: true, error_code: null }),
    ]);
    expect([run.stdout, run.stderr].map(String)).toEqual(['', '']);
  });

  it('passes signals on, each time that they come, and keeps the status of the command', async () => {
    const stop = join(fleet.directory, 'stop');
    const run = await start({ command: ['/bin/bash', '-c', LISTENER, stop] });
    await run.says('ready');
    for (const name of SIGNALS) {
      run.signal(`SIG${name}`);
      await run.says(`${name} 1`);
      run.signal(`SIG${name}`);
      await run.says(`${name} 2`);
    }
    expect(mountsBelow(fleet.node.base)).toHaveLength(1);
    await writeFile(stop, '');
    expect(await run.end()).toBe(7);
    expect(run.stdout.toString().match(/INT \d/g)).toEqual(['INT 1', 'INT 2']);
  });

  it('ends with 128 + n where a signal ended the command', async () => {
    const statuses = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
    const ends = Object.keys(statuses).map(async (name) => {
      const run = await start({ command: ['/bin/sh', '-c', 'echo ready; exec sleep 600'] });
      await run.says('ready');
      run.signal(name as NodeJS.Signals);
      return [name, await run.end()];
    });
    expect(Object.fromEntries(await Promise.all(ends))).toEqual(statuses);
  });

  it('works in a pipeline whose reader has enough, with what the shell opened for the command', async () => {
    const run = await start({
      command: ['/bin/sh', '-c', 'cat "$1" -', 'sh'],
      shell: 'yes | "$@" <(echo first) | head -n 2; echo "${PIPESTATUS[1]}"',
    });
    expect(await run.end()).toBe(0);
    expect(run.stdout.toString()).toBe('first\ny\n141\n');
  });

  it('unmounts where nobody reads what it says', async () => {
    const run = await start({ command: ['/bin/sh', '-c', 'echo ready; read line; exit 3'] });
    await run.says('ready');
    run.closeErrorReader();
    run.input.end('\n');
    expect(await run.end()).toBe(3);
  });

  it('unmounts when timeout(1) ends it', async () => {
    const run = await start({ command: ['sleep', '600'], shell: 'timeout 3 "$@"' });
    expect(await run.end()).toBe(124);
  });

  it('shows on a terminal what takes long, and gives ctrl-C to the command once', async () => {
    const slow = await fleet.targets.s3('run-slow');
    await fuse.hold('start', slow.bucket);
    const script = `test -t 0 && test -t 1 && test -t 2 || exit 9
      n=0; trap 'n=$((n+1)); echo "INT $n"; [ $n -lt 2 ] || exit 5' INT
      echo ready; while :; do sleep 0.05; done`;
    const run = await start({ command: ['/bin/bash', '-c', script], terminal: true, target: slow });
    try {
      await fuse.reached('start', slow.bucket);
      await run.says(/dms: mounting run-slow-\S+ on \S+ .{20} [2-9] s of at most 300 s/);
    } finally {
      await fuse.letGo('start', slow.bucket);
    }
    await run.says('ready');
    run.input.write('\x03');
    await run.says('INT 1');
    run.input.write('\x03');
    await run.says('INT 2');
    expect(await run.end()).toBe(5);
    expect(run.stdout.toString().match(/INT \d/g)).toEqual(['INT 1', 'INT 2']);
    expect(run.stdout.toString()).not.toContain('dms: mounted');
  });

  it('shows no bar where it is told not to', async () => {
    const run = await start({ command: ['true'], terminal: true, options: ['--progress', 'never'] });
    expect(await run.end()).toBe(0);
    expect(run.stdout.toString()).toMatch(/^dms: mounted [^]*dms: unmounted [^]*$/);
  });

  it('can be stopped and continued with its command, as a job of a shell', async () => {
    // The shell in the terminal has job control: ctrl-Z stops the whole job, and fg lets it go on.
    const run = await start({
      command: ['/bin/sh', '-c', 'echo ready; read line; echo "went on with $line"; exit 4'],
      inTerminal: 'set -m; "$@"; echo "stopped with $?"; fg %1 >/dev/null; echo "ended with $?"',
    });
    await run.says('ready');
    run.input.write('\x1a');
    await run.says(/stopped with 148/);
    run.input.write('a line\n');
    await run.says('went on with a line');
    await run.says('ended with 4');
    expect(await run.end()).toBe(0);
  });

  it('tells the command when the mount breaks, and is not 0 then', async () => {
    const broken = await fleet.targets.s3('run-broken');
    const run = await start({
      command: ['/bin/bash', '-c', 'trap "exit 0" USR1; echo ready; while :; do sleep 0.05; done'],
      options: ['--on-broken', 'USR1'],
      target: broken,
    });
    await run.says('ready');
    process.kill(Number(readFileSync(join(fleet.node.pidDirectory, `${broken.id}.pid`), 'utf8')), 'SIGKILL');
    expect(await run.end()).toBe(125);
    expect(run.stderr.toString()).toMatch(
      /warning: the mount (was lost|is broken); the command is sent SIGUSR1/,
    );
  });
});
