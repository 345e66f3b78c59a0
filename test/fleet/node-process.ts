import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child, freePort, waitFor } from '../rig';
import { PROGRAMS } from './programs';
import { serverEnvironment } from './server-environment';

export interface NodeProcessOptions {
  /** DMS_NODE_ID. */
  readonly host: string;
  /** Gets the node's base, run directory and log. */
  readonly directory: string;
  readonly brokerUrl: string;
  readonly authUrl?: string;
  /** Further settings. */
  readonly settings?: Readonly<Record<string, string>>;
}

const READY_TIMEOUT_MS = 30_000;

/** A dms-server with directories of its own: several are a fleet on one machine. */
export class NodeProcess {
  /** What the next start runs: an upgrade is another program. */
  program = PROGRAMS.server;
  /** Words before the program of the next start, e.g. of a command that makes a namespace for it. */
  words: readonly string[] = [];
  #child: Child | null = null;
  #healthPort = 0;

  constructor(private readonly options: NodeProcessOptions) {}

  get host(): string {
    return this.options.host;
  }

  /** DMS_MOUNT_BASE. */
  get base(): string {
    return join(this.options.directory, 'mounts');
  }

  get pidDirectory(): string {
    return join(this.options.directory, 'run/s3');
  }

  get runDirectory(): string {
    return join(this.options.directory, 'run');
  }

  get logFile(): string {
    return join(this.options.directory, 'dms-server.log');
  }

  get healthUrl(): string {
    return `http://127.0.0.1:${this.#healthPort}/health`;
  }

  get pid(): number {
    return this.#running.pid;
  }

  /** The settings under which the commands of dms-server reach it. */
  get environment(): Record<string, string> {
    return serverEnvironment({
      ...this.options,
      base: this.base,
      runDirectory: this.runDirectory,
      pidDirectory: this.pidDirectory,
      healthPort: this.#healthPort,
    });
  }

  /** Starts the program and waits until it says that it is ready. */
  async start(): Promise<void> {
    await this.launch();
    await waitFor(() => this.ready(), {
      timeoutMs: READY_TIMEOUT_MS,
      what: `dms-server ${this.host} to be ready`,
    });
  }

  /** Starts the program without waiting. */
  async launch(): Promise<void> {
    await mkdir(this.base, { recursive: true });
    this.#healthPort = await freePort();
    const { options } = this;
    const [command, ...args] = [...this.words, process.execPath, this.program];
    this.#child = await Child.start({
      name: `dms-server ${this.host}`,
      command,
      args,
      directory: options.directory,
      logFile: this.logFile,
      environment: this.environment,
    });
  }

  /** Whether the health port says ready; throws where the program has ended. */
  async ready(): Promise<boolean> {
    if (!this.#running.running) throw new Error(`dms-server ${this.#running.outcome}:\n${await this.log()}`);
    try {
      return (await fetch(`${this.healthUrl}/ready`, { signal: AbortSignal.timeout(5_000) })).ok;
    } catch {
      return false;
    }
  }

  async log(): Promise<string> {
    return readFile(this.logFile, 'utf8');
  }

  /** Resolves with how the program ended. */
  async ended(timeoutMs: number): Promise<string> {
    await waitFor(() => !this.#running.running, { timeoutMs, what: `dms-server ${this.host} to end` });
    return this.#running.outcome;
  }

  /** SIGTERM; the mounts stay. */
  async stop(): Promise<void> {
    await this.#child?.stop();
    this.#child = null;
  }

  /** Sends the program a signal. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  get #running(): Child {
    if (this.#child === null) throw new Error(`dms-server ${this.host} was not started`);
    return this.#child;
  }
}
