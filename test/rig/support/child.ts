import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, stat } from 'node:fs/promises';
import { guardian, OWNER_VARIABLE } from './guardian';
import { groupMembers, signalGroup } from './processes';
import { waitFor, within } from './wait';

/** What to start, and where its output goes. */
export interface ChildOptions {
  /** As it shall stand in error messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly directory: string;
  /** Standard output and standard error are appended to it. */
  readonly logFile: string;
  /** All of it; nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The kill is done by the kernel; what takes longer sits in an uninterruptible system call. */
const KILL_WAIT_MS = 10_000;

/**
 * A long-running program with a process group and session of its own, so that signals reach the processes it starts
 * and a ctrl-C at the terminal does not, and with its output in a file.
 *
 * It also serves tests that start programs of the project: whatever is started through it is ended with this process.
 */
export class Child {
  private ending: Promise<void> | undefined;

  private constructor(
    readonly name: string,
    /** Number of the process and of its group. */
    readonly pid: number,
    readonly logFile: string,
    private readonly logStart: number,
    private readonly child: ChildProcess,
  ) {}

  /** Resolves when the program runs; whether it is ready for use is another matter. */
  static async start(options: ChildOptions): Promise<Child> {
    guardian.arm();
    const log = await open(options.logFile, 'a', 0o600);
    try {
      const logStart = (await log.stat()).size;
      const child = spawn(options.command, options.args, {
        cwd: options.directory,
        detached: true,
        env: { ...options.environment, [OWNER_VARIABLE]: guardian.mark },
        stdio: ['ignore', log.fd, log.fd],
      });
      const pid = child.pid;
      if (pid === undefined) {
        const [error] = (await once(child, 'error')) as [Error];
        throw new Error(`${options.name} cannot be started: ${error.message}`);
      }
      guardian.watchGroup(pid);
      child.on('error', () => undefined);
      child.once('exit', () => {
        // Workers that outlive their leader would keep ports and files. The number cannot be a stranger's yet: a
        // group keeps it reserved while it has members.
        signalGroup(pid, 'SIGKILL');
        guardian.forgetGroup(pid);
      });
      return new Child(options.name, pid, options.logFile, logStart, child);
    } finally {
      await log.close();
    }
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** How it ended, for error messages. */
  get outcome(): string {
    if (this.child.signalCode) return `was ended by ${this.child.signalCode}`;
    return this.child.exitCode === null ? 'is running' : `ended with status ${this.child.exitCode}`;
  }

  /** The exit status, or null while it runs or if a signal ended it. */
  get exitCode(): number | null {
    return this.child.exitCode;
  }

  /** Sends a signal to the whole group; nothing happens if it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.running) signalGroup(this.pid, signal);
  }

  /** SIGTERM, then SIGKILL for what has not ended after `graceMs`. Resolves when all of the group is gone. */
  async stop(graceMs = 10_000): Promise<void> {
    this.ending ??= this.end(graceMs);
    await this.ending;
  }

  /** SIGKILL, as a power cut would. Resolves when all of the group is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.gone(KILL_WAIT_MS);
  }

  /** Resolves when it has ended by itself, or throws after `timeoutMs`. */
  async waitForExit(timeoutMs: number): Promise<void> {
    if (!this.running) return;
    await within(once(this.child, 'exit'), timeoutMs, `${this.name} to end`);
  }

  /** What this start has written so far. */
  async log(): Promise<string> {
    const bytes = await readFile(this.logFile);
    return bytes.subarray(Math.min(this.logStart, bytes.length)).toString('utf8');
  }

  /** The end of the log, also of earlier starts, for error messages. */
  async logTail(lines = 25): Promise<string> {
    if ((await stat(this.logFile)).size === 0) return '(its log is empty)';
    return (await readFile(this.logFile, 'utf8')).trimEnd().split('\n').slice(-lines).join('\n');
  }

  private async end(graceMs: number): Promise<void> {
    this.signal('SIGTERM');
    // A paused program gets to its SIGTERM only when it is continued.
    this.signal('SIGCONT');
    try {
      await this.waitForExit(graceMs);
    } catch {
      this.signal('SIGKILL');
    }
    await this.gone(KILL_WAIT_MS);
  }

  private async gone(timeoutMs: number): Promise<void> {
    await this.waitForExit(timeoutMs);
    await waitFor(() => groupMembers(this.pid).length === 0, {
      timeoutMs,
      what: `the processes of ${this.name} to end`,
      intervalMs: 10,
    });
  }
}
