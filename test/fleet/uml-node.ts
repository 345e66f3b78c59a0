import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Guest, type GuestResult, HOST_ADDRESS, waitFor } from '../rig';
import { type NodeProcessOptions } from './node-process';
import { type NfsNode } from './nfs-node.interface';
import { PROGRAMS } from './programs';
import { serverEnvironment } from './server-environment';

const HEALTH_PORT = 8091;
const READY_TIMEOUT_MS = 60_000;
const END_TIMEOUT_MS = 30_000;

/** A node of its own kernel: a guest (User-Mode Linux) with a dms-server on it, which reaches this machine's broker. */
export class UmlNode implements NfsNode {
  readonly base = '/run/mounts';
  readonly runDirectory = '/run/dms';
  readonly pidDirectory = '/run/dms/s3';
  readonly healthUrl = `http://127.0.0.1:${HEALTH_PORT}/health`;
  readonly serverAddress = HOST_ADDRESS;
  readonly guest: Guest;
  #pid = 0;

  constructor(private readonly options: NodeProcessOptions) {
    this.guest = new Guest({ name: options.host, directory: options.directory });
  }

  get host(): string {
    return this.options.host;
  }

  /** On this machine, written by the guest. */
  get logFile(): string {
    return join(this.options.directory, 'dms-server.log');
  }

  /** Boots the guest if it does not run, starts the program, and waits until it says that it is ready. */
  async start(): Promise<void> {
    if (!this.guest.running) await this.guest.start();
    await this.launch();
    await waitFor(() => this.ready(), {
      timeoutMs: READY_TIMEOUT_MS,
      what: `dms-server ${this.host} to be ready`,
      intervalMs: 100,
    });
  }

  /** Starts the program in the guest without waiting. */
  async launch(): Promise<void> {
    const environment = serverEnvironment({ ...this.options, ...this.#places() });
    const words = Object.entries(environment).map(([name, value]) => quoted(`${name}=${value}`));
    const program = [process.execPath, PROGRAMS.server].map(quoted);
    // The processor's features that the guest's first process hides stay hidden; see guest-script.ts.
    const kept = ['GLIBC_TUNABLES', 'SIMDUTF_FORCE_IMPLEMENTATION', 'OPENSSL_ia32cap'];
    const hidden = kept.map((name) => `"${name}=$${name}"`);
    const command = ['setsid', 'env', '-i', ...hidden, ...words, ...program].join(' ');
    const { output } = await this.sh(
      `mkdir -p ${this.base}; cd /; ${command} >>${quoted(this.logFile)} 2>&1 </dev/null & echo $!`,
    );
    this.#pid = Number(output);
  }

  /** Whether the health port says ready; throws where the program has ended. */
  async ready(): Promise<boolean> {
    const { output } = await this.sh(
      `kill -0 ${this.#pid} || echo ended; curl -s -m 5 -o /dev/null -w '%{http_code}' ${this.healthUrl}/ready`,
    );
    if (output.includes('ended')) throw new Error(`dms-server ${this.host} has ended:\n${await this.log()}`);
    return output.trim() === '200';
  }

  async log(): Promise<string> {
    return readFile(this.logFile, 'utf8');
  }

  async sh(script: string, timeoutMs?: number): Promise<GuestResult> {
    return this.guest.run(script, timeoutMs);
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    await this.sh(`kill -${signal.slice(3)} ${this.#pid}`);
  }

  /** SIGTERM to the program; the guest runs on, and so do the mounts. */
  async stopServer(): Promise<void> {
    const script = `kill ${this.#pid}; while kill -0 ${this.#pid} 2>/dev/null; do sleep 0.1; done`;
    await this.sh(script, END_TIMEOUT_MS);
  }

  /** Ends the guest with all that is on it. */
  async stop(): Promise<void> {
    await this.guest.stop();
  }

  #places(): Pick<
    Parameters<typeof serverEnvironment>[0],
    'directory' | 'base' | 'runDirectory' | 'pidDirectory' | 'healthPort' | 'brokerUrl' | 'authUrl'
  > {
    const { authUrl, brokerUrl } = this.options;
    return {
      directory: '/run/home',
      base: this.base,
      runDirectory: this.runDirectory,
      pidDirectory: this.pidDirectory,
      healthPort: HEALTH_PORT,
      brokerUrl: seenFromGuest(brokerUrl),
      ...(authUrl === undefined ? {} : { authUrl: seenFromGuest(authUrl) }),
    };
  }
}

/** A URL of this machine's loopback, as the guest has to write it. */
function seenFromGuest(text: string): string {
  const url = new URL(text);
  url.hostname = HOST_ADDRESS;
  return url.href;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
