import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeOnRig } from '../e2e/on-rig';
import { ROOT } from '../fleet/programs';
import { signalGroup } from '../rig/support/processes';
import { cleanEnvironment, runCommand, unmountBelow, waitFor } from '../rig';

const DEMO_MS = 150_000;

/** `npm run …` as a person types it, in a process group of its own and with a directory of its own for what it makes. */
class EntryCommand {
  readonly directory = join(tmpdir(), `dms-entry-${randomUUID().slice(0, 8)}`);
  said = '';
  #npm: ChildProcess | null = null;

  async start(...words: string[]): Promise<void> {
    await mkdir(this.directory);
    const npm = spawn('npm', ['run', ...words], {
      cwd: ROOT,
      detached: true,
      env: { ...process.env, TMPDIR: this.directory },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [npm.stdout, npm.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    this.#npm = npm;
  }

  /** Resolves when it has said this. */
  async hasSaid(text: string): Promise<void> {
    const heard = (): boolean => {
      if (!this.said.includes(text) && this.#process.exitCode !== null) throw new Error(this.said);
      return this.said.includes(text);
    };
    await waitFor(() => Promise.resolve(heard()), { timeoutMs: DEMO_MS, what: `“${text}”` });
  }

  /** As `kill` does; or as a terminal does, to all of the group. */
  signal(signal: NodeJS.Signals, to: 'npm' | 'the group'): void {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error('npm was not started');
    if (to === 'npm') process.kill(pid, signal);
    else signalGroup(pid, signal);
  }

  /** The exit status, or the signal that ended it. */
  async ended(): Promise<number | NodeJS.Signals | null> {
    const npm = this.#process;
    if (npm.exitCode === null && npm.signalCode === null) await once(npm, 'close');
    return npm.exitCode ?? npm.signalCode;
  }

  /** What it has left: files, mounts, processes that name its directory. */
  leftovers(): string[] {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    return [
      ...readdirSync(this.directory),
      ...mounts.filter((line) => line.includes(this.directory)),
      ...this.#processes().map((pid) => `process ${pid}`),
    ];
  }

  async clean(): Promise<void> {
    for (const pid of this.#processes()) process.kill(pid, 'SIGKILL');
    if (!existsSync(this.directory)) return;
    await unmountBelow(this.directory);
    await rm(this.directory, { recursive: true });
  }

  get #process(): ChildProcess {
    if (this.#npm === null) throw new Error('It was not started');
    return this.#npm;
  }

  #processes(): number[] {
    const names = (pid: string, file: string): boolean => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(this.directory);
      } catch {
        return false; // it has ended meanwhile
      }
    };
    return readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid) && (names(pid, 'cmdline') || names(pid, 'environ')))
      .map(Number);
  }
}

/** What the demo tells to try in another terminal. */
function commandsIn(said: string): string {
  const [, told] = said.split('In another terminal, in this directory:\n');
  return told
    .split('\n')
    .filter((line) => line.startsWith('   ') && !line.includes('OpenAPI: '))
    .map((line) => line.slice(3))
    .join('\n');
}

describeOnRig('npm run demo', () => {
  let demo: EntryCommand;

  beforeEach(() => {
    demo = new EntryCommand();
  });
  afterEach(() => demo.clean());

  it(
    'shows the main job, and leaves nothing',
    async () => {
      await demo.start('demo');
      expect({ status: await demo.ended(), said: demo.said }).toMatchObject({ status: 0 });
      const told = [
        'S3 target mounted successfully at',
        'from the endpoint: "The first line of a backup.',
        'reused_existing: true',
        'job 1001',
        'job 1002',
        'Target unmounted successfully from',
        ': nothing\n',
        'nothing is left',
      ];
      for (const text of told) expect(demo.said).toContain(text);
      expect(demo.leftovers()).toEqual([]);
    },
    DEMO_MS,
  );

  it.each([
    ['SIGINT', 'the group', '1. '],
    ['SIGTERM', 'the group', '2. '],
    ['SIGINT', 'npm', 'Job 1001 asks'],
    ['SIGTERM', 'npm', 'Job 1002 joins'],
  ] as const)(
    'cleans up after %s to %s, behind “%s”',
    async (signal, to, text) => {
      await demo.start('demo');
      await demo.hasSaid(text);
      demo.signal(signal, to);
      expect(await demo.ended()).not.toBe(0);
      expect(demo.said).toContain('nothing is left');
      expect(demo.leftovers()).toEqual([]);
    },
    DEMO_MS,
  );

  it(
    'keeps all of it for a person to try with --keep, until ctrl-C',
    async () => {
      await demo.start('demo', '--', '--keep');
      await demo.hasSaid('OpenAPI: ');
      const url = /export DMS_API_URL=(\S+)/.exec(demo.said)?.[1];
      expect((await fetch(`${url}/health/ready`)).status).toBe(200);
      const tried = await runCommand('/bin/bash', ['-e', '-c', commandsIn(demo.said)], {
        directory: ROOT,
        environment: cleanEnvironment(),
        timeoutMs: DEMO_MS,
      });
      expect(tried.stdout).toMatch(/Total: 1, alive: 1, dead: 0[^]*"secret_ref": ?"http/);
      demo.signal('SIGINT', 'the group');
      await demo.ended();
      expect(demo.said).toContain('nothing is left');
      expect(demo.leftovers()).toEqual([]);
    },
    DEMO_MS,
  );
});
