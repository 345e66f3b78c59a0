import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child, cleanEnvironment, freePort, waitFor } from '../rig';
import { Api } from './api';
import { PROGRAMS } from './programs';

export interface ClientProcessOptions {
  readonly name: string;
  readonly directory: string;
  readonly brokerUrl: string;
  readonly databaseUrl: string;
  /** Further settings. */
  readonly settings?: Readonly<Record<string, string>>;
}

const READY_TIMEOUT_MS = 30_000;

/** A dms-client on a port of its own. */
export class ClientProcess {
  /** What the next start runs: an upgrade is another program. */
  program = PROGRAMS.client;
  #child: Child | null = null;
  #port = 0;

  constructor(private readonly options: ClientProcessOptions) {}

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get api(): Api {
    return new Api(this.url);
  }

  get logFile(): string {
    return join(this.options.directory, `${this.options.name}.log`);
  }

  get pid(): number {
    return this.#running.pid;
  }

  /** The settings under which the `dms` command reaches the same ledger and broker. */
  get environment(): Record<string, string> {
    const { options } = this;
    return {
      ...cleanEnvironment({ HOME: options.directory }),
      DMS_CONFIG_FILE: join(options.directory, 'client.conf'),
      DMS_RABBITMQ_URL: options.brokerUrl,
      DMS_DB_URL: options.databaseUrl,
      ...options.settings,
    };
  }

  /** Starts the program and waits until it says that it is ready. */
  async start(): Promise<void> {
    await mkdir(this.options.directory, { recursive: true });
    this.#port = await freePort();
    this.#child = await Child.start({
      name: this.options.name,
      command: process.execPath,
      args: [this.program],
      directory: this.options.directory,
      logFile: this.logFile,
      environment: { DMS_LOG_LEVEL: 'DEBUG', ...this.environment, DMS_HTTP_PORT: String(this.#port) },
    });
    await waitFor(() => this.ready(), {
      timeoutMs: READY_TIMEOUT_MS,
      what: `${this.options.name} to be ready`,
    });
  }

  /** Whether it says ready; throws where the program has ended. */
  async ready(): Promise<boolean> {
    if (!this.#running.running) throw new Error(`dms-client ${this.#running.outcome}:\n${await this.log()}`);
    try {
      return (await fetch(`${this.url}/health/ready`, { signal: AbortSignal.timeout(5_000) })).ok;
    } catch {
      return false;
    }
  }

  async log(): Promise<string> {
    return readFile(this.logFile, 'utf8');
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
    this.#child = null;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  get #running(): Child {
    if (this.#child === null) throw new Error(`${this.options.name} was not started`);
    return this.#child;
  }
}
