import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadServerSettings } from '../settings/server.settings';
import { ChildRunnerAdapter } from './child-runner.adapter';
import { type ChildCommand } from './child-runner.interface';
import { scriptPath } from './scripts';

describe('ChildRunnerAdapter', () => {
  let directory: string;
  let runner: ChildRunnerAdapter;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'children-'));
    runner = newRunner();
  });

  afterEach(() => rm(directory, { recursive: true }));

  function newRunner(): ChildRunnerAdapter {
    return new ChildRunnerAdapter(
      loadServerSettings({
        DMS_RABBITMQ_URL: 'amqp://none',
        DMS_RUN_DIR: directory,
        DMS_CONFIG_FILE: '/none',
      }),
    );
  }

  function shell(script: string, more: Partial<ChildCommand> = {}): ChildCommand {
    return { targetId: 'target/of tests', program: 'sh', args: ['-c', script], deadlineMs: 5_000, ...more };
  }

  const records = (): Promise<string[]> => readdir(join(directory, 'children')).catch(() => []);

  it('gives status and output, and leaves no record', async () => {
    expect(await runner.run(shell('echo out; echo err >&2; exit 3'))).toEqual({
      kind: 'exited',
      code: 3,
      signal: null,
      output: expect.stringMatching(/^(out\nerr|err\nout)\n$/) as string,
    });
    expect(await records()).toEqual([]);
  });

  it('gives a child nothing of its own environment', async () => {
    const outcome = await runner.run(shell('env | grep -vE "^(PWD|SHLVL|_|OLDPWD)="'));
    expect(outcome).toMatchObject({
      output: expect.stringMatching(/^(PATH=.*|LC_ALL=C)\n(PATH=.*|LC_ALL=C)\n$/) as string,
    });
  });

  it('has the pid on record before the program runs', async () => {
    const outcome = await runner.run(shell(`cat ${directory}/children/*; cat /proc/$$/stat`));
    const [record, stat] = outcome.kind === 'exited' ? outcome.output.split('\n') : [];
    const [pid, startTime] = record.split(' ');
    expect(stat.startsWith(`${pid} (sh) `)).toBe(true);
    expect(stat.split(' ')[21]).toBe(startTime);
  });

  it('says which program is not installed', async () => {
    expect(await runner.run(shell('', { program: 'no-such-program' }))).toEqual({
      kind: 'not-started',
      reason: 'no-such-program: it is not installed',
    });
  });

  it('kills it earlier when its signal says so', async () => {
    const abort = new AbortController();
    const run = runner.run(shell('exec sleep 30', { deadlineMs: 30_000, signal: abort.signal }));
    abort.abort();
    await expect(run).resolves.toMatchObject({ kind: 'deadline', gone: true });
    await expect(runner.run(shell('true', { signal: abort.signal }))).resolves.toMatchObject({
      kind: 'deadline',
      gone: true,
    });
  });

  it('kills the whole group at the deadline', async () => {
    const began = performance.now();
    const outcome = await runner.run(shell('sleep 30 & echo $!; wait', { deadlineMs: 200 }));
    expect(outcome).toMatchObject({ kind: 'deadline', gone: true });
    expect(performance.now() - began).toBeLessThan(2_000);
    const grandchild = outcome.kind === 'deadline' ? outcome.output.trim() : '';
    const stat = await readFile(`/proc/${grandchild}/stat`, 'utf8').catch(() => ') Z');
    expect(stat).toContain(') Z');
    expect(await runner.childrenLeft('target/of tests')).toBe(0);
  });

  it('ends a grandchild that a program leaves behind, and does not wait for its output', async () => {
    const began = performance.now();
    const outcome = await runner.run(shell('sleep 30 & echo $!'));
    expect(outcome).toMatchObject({ kind: 'exited', code: 0 });
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(await records()).toEqual([]);
  });

  it('bounds the output', async () => {
    const outcome = await runner.run(shell('yes | head -c 1000000'));
    expect(outcome).toMatchObject({ kind: 'exited', code: 0 });
    if (outcome.kind === 'exited') expect(outcome.output.length).toBeLessThan(33_000);
  });

  it('does not count a child that somebody waits for', async () => {
    const run = runner.run(shell('sleep 0.3'));
    expect(await runner.childrenLeft('target/of tests')).toBe(0);
    await run;
  });

  describe('with children of an earlier dms-server', () => {
    /** Runs a child as the runner does, from a process that is not asked to end it. */
    async function leaveBehind(targetId: string): Promise<number> {
      const run = newRunner().run(shell('echo; exec sleep 30', { targetId, deadlineMs: 20_000 }));
      while ((await records()).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      const path = join(directory, 'children', (await records())[0]);
      while ((await readFile(path, 'utf8')) === '') await new Promise((resolve) => setTimeout(resolve, 5));
      const pid = Number((await readFile(path, 'utf8')).split(' ')[0]);
      left.push(run);
      return pid;
    }

    const left: Promise<unknown>[] = [];

    it('counts them for their target, ends them, and forgets them', async () => {
      const pid = await leaveBehind('a');
      expect(await runner.childrenLeft('a')).toBe(1);
      expect(await runner.childrenLeft('b')).toBe(0);
      await runner.endLeftOver();
      expect(await runner.childrenLeft('a')).toBe(0);
      expect(() => process.kill(pid, 0)).toThrow('ESRCH');
      await Promise.all(left);
      expect(await records()).toEqual([]);
    });

    it('never signals a process that has its number by chance', async () => {
      const stranger = spawn('sleep', ['30'], { detached: true, stdio: 'ignore' });
      await runner.run(shell('true'));
      const [, , boot] = await recordOf(stranger.pid ?? 0);
      await writeFile(join(directory, 'children', 'x.stale'), `${stranger.pid} 1 ${boot}\n`);
      await runner.endLeftOver();
      expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
      expect(await records()).toEqual([]);
      const exit = once(stranger, 'exit');
      stranger.kill('SIGKILL');
      await exit;
    });

    async function recordOf(pid: number): Promise<string[]> {
      const path = join(directory, 'record');
      await once(spawn('sh', [scriptPath('child-guard.sh'), path, 'true']), 'exit');
      expect(pid).toBeGreaterThan(1);
      return (await readFile(path, 'utf8')).trim().split(' ');
    }
  });
});
