import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { type Readable, type Writable } from 'node:stream';
import { waitFor } from '../rig';
import { type Fleet } from './fleet';
import { PROGRAMS } from './programs';
import { type S3Target } from './targets';

/** Gives what it runs a terminal, and is itself only the hands and eyes before that: bytes in, bytes out. */
const TERMINAL = `
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
`;

export interface RunOptions {
  readonly jobid: number;
  readonly target: Pick<S3Target, 'id' | 'secretRef'>;
  /** Of `dms run`. */
  readonly options?: readonly string[];
  /** What is run on the mount. */
  readonly command: readonly string[];
  /** In a terminal; what it shows is `stdout`. */
  readonly terminal?: boolean;
  /** `$@` is the call of dms: for pipelines and for programs that run it. */
  readonly shell?: string;
  /** As `shell`, but the shell is the one that runs in a terminal. */
  readonly inTerminal?: string;
  /** A fourth descriptor, which is `extra`. */
  readonly descriptor3?: boolean;
}

/** One `dms run` over the HTTP facade of a fleet's first client, in a process group of its own. */
export class RunProcess {
  stdout = Buffer.alloc(0);
  stderr = Buffer.alloc(0);
  extra = Buffer.alloc(0);
  /** Status of the end; null while it runs. */
  status: number | null = null;

  private constructor(private readonly child: ChildProcess) {
    const [, stdout, stderr, extra] = child.stdio as Readable[];
    stdout.on('data', (piece: Buffer) => (this.stdout = Buffer.concat([this.stdout, piece])));
    stderr.on('data', (piece: Buffer) => (this.stderr = Buffer.concat([this.stderr, piece])));
    extra?.on('data', (piece: Buffer) => (this.extra = Buffer.concat([this.extra, piece])));
    child.once('close', (code) => (this.status = code ?? -1));
  }

  static async start(fleet: Fleet, options: RunOptions): Promise<RunProcess> {
    const { jobid, target, command, terminal, shell, inTerminal, descriptor3 } = options;
    const call = [
      ...[process.execPath, PROGRAMS.cli, 'run', ...(options.options ?? [])],
      ...['--job-id', String(jobid), '--target-id', target.id, '--target-type', 's3'],
      ...['--host', fleet.node.host, '--secret-ref', target.secretRef, '--', ...command],
    ];
    const [program, ...args] = [
      ...(shell === undefined ? [] : ['/bin/bash', '-c', shell, 'bash']),
      ...(terminal || inTerminal !== undefined ? ['/usr/bin/python3', '-c', TERMINAL] : []),
      ...(inTerminal === undefined ? [] : ['/bin/bash', '-c', inTerminal, 'bash']),
      ...call,
    ];
    const stdio: StdioOptions = ['pipe', 'pipe', 'pipe', ...(descriptor3 ? (['pipe'] as const) : [])];
    const env = {
      ...fleet.clients[0].environment,
      PATH: process.env.PATH,
      TERM: 'xterm',
      DMS_API_URL: fleet.clients[0].url,
      KEYSTONE_TOKEN: await fleet.targets.cloud.token('owner'),
    };
    return new RunProcess(spawn(program, args, { stdio, env, detached: true }));
  }

  get input(): Writable {
    return this.child.stdin as Writable;
  }

  /** To the process that was started alone. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Nobody reads standard error any more. */
  closeErrorReader(): void {
    this.child.stderr?.destroy();
  }

  /** Resolves when standard output holds it. */
  async says(text: string | RegExp, timeoutMs = 30_000): Promise<void> {
    const heard = (): boolean => {
      const all = this.stdout.toString();
      if (this.status !== null && all.search(text) < 0) {
        throw new Error(`It ended with ${this.status} and said: ${all}${this.stderr.toString()}`);
      }
      return all.search(text) >= 0;
    };
    await waitFor(heard, { timeoutMs, what: `the run to say ${String(text)}` });
  }

  /** Its exit status. */
  async end(timeoutMs = 60_000): Promise<number> {
    await waitFor(() => this.status !== null, { timeoutMs, what: 'the run to end' });
    return Number(this.status);
  }

  /** Ends all of it, whatever it does. */
  kill(): void {
    if (this.status !== null || this.child.pid === undefined) return;
    process.kill(-this.child.pid, 'SIGKILL');
  }
}
