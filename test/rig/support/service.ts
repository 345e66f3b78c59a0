import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Child } from './child';
import { isTaken } from './ports';
import { waitFor } from './wait';

/** How often other ports are tried when somebody else was quicker to bind those chosen. */
const PORT_ATTEMPTS = 4;

/** What starting a service may cost on a busy machine with two cores. */
const START_TIMEOUT_MS = 120_000;

/**
 * A real server program, run for this process alone: own directory, own ports on 127.0.0.1, own log.
 *
 * Ports are chosen at the first start and kept from then on, so that what connected before a `kill` or `stop` finds
 * the service again after the next `start`.
 */
export abstract class Service {
  private child: Child | undefined;
  private ports: readonly number[] | undefined;
  /** Set once the service has been reached on its ports: from then on it keeps them. */
  private settled = false;

  protected constructor(
    /** As it shall stand in messages. */
    readonly title: string,
    /** Where its data, configuration and log lie. */
    readonly directory: string,
  ) {}

  /** Chooses free ports; called again if one was lost to another process before the service could bind it. */
  protected abstract choosePorts(): Promise<readonly number[]>;

  /** Writes configuration and, where missing, initial data. */
  protected abstract prepare(): Promise<void>;

  /** Starts the program. */
  protected abstract launch(): Promise<Child>;

  /** Whether the program answers. What it answers must be its own: another's service may hold the port. */
  protected abstract isReady(child: Child): Promise<boolean>;

  /** Called when the program has ended or was never started; what else belongs to the service ends here. */
  protected async cleanUp(): Promise<void> {
    // Most services are one program.
  }

  get running(): boolean {
    return this.child?.running ?? false;
  }

  /** The number of the main process. */
  get pid(): number {
    return this.current().pid;
  }

  get logFile(): string {
    return join(this.directory, 'output.log');
  }

  /** Chooses the ports now, for others that have to know the address before the service starts. */
  async reservePorts(): Promise<void> {
    this.ports ??= await this.choosePorts();
  }

  /** Resolves when the service can be used. Does nothing if it runs. */
  async start(): Promise<void> {
    if (this.running) return;
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    for (let attempt = 1; ; attempt += 1) {
      await this.reservePorts();
      await this.prepare();
      try {
        await this.launchAndWait();
        this.settled = true;
        return;
      } catch (error) {
        const log = await this.logTail();
        await this.stop();
        if (!this.settled && attempt < PORT_ATTEMPTS && (await anyTaken(this.ports ?? []))) {
          this.ports = undefined;
          continue;
        }
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`${this.title} did not start: ${reason}\n${log}`, { cause: error });
      }
    }
  }

  /** SIGTERM and a bounded wait, then SIGKILL. Does nothing if it does not run. */
  async stop(): Promise<void> {
    await this.child?.stop();
    await this.cleanUp();
  }

  /** SIGKILL. `start` brings it back on the same ports with the data it had. */
  async kill(): Promise<void> {
    await this.child?.kill();
    await this.cleanUp();
  }

  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void {
    this.current().signal('SIGSTOP');
  }

  resume(): void {
    this.current().signal('SIGCONT');
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** The end of what it wrote, for a person. */
  async logTail(lines?: number): Promise<string> {
    return this.child ? await this.child.logTail(lines) : '(never started)';
  }

  private async launchAndWait(): Promise<void> {
    const child = await this.launch();
    // Known from here on, so that a `stop` in the middle of a start ends it.
    this.child = child;
    await waitFor(() => this.alive(child), {
      timeoutMs: START_TIMEOUT_MS,
      what: `${this.title} to be ready`,
      intervalMs: 20,
    });
  }

  private current(): Child {
    if (!this.child?.running) throw new Error(`${this.title} is not running`);
    return this.child;
  }

  private async alive(child: Child): Promise<boolean> {
    if (!child.running) throw new Error(`it ${child.outcome}`);
    return await this.isReady(child);
  }
}

/** After our own program is gone, a port that is still held is held by somebody else. */
async function anyTaken(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) if (await isTaken(port)) return true;
  return false;
}
