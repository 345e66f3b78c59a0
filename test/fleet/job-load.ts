import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../rig';
import { type Answer } from './api';
import { type ClientProcess } from './client-process';
import { Jobs } from './jobs';
import { mountsBelow } from './mount-table';
import { type S3Target } from './targets';
import { type Fleet } from './fleet';

/** Statuses that say: ask again. */
const RETRYABLE = [503, 504];
const HOLD_MS = 100;
const RETRY_MS = 100;
const GIVE_UP_MS = 60_000;
const ROUNDS_MS = 90_000;

/** Jobs that mount, look, and unmount, over and over, by whichever dms-client runs at the moment. */
export class JobLoad {
  /** Mounts that were answered with success and were not there. */
  readonly lies: string[] = [];
  /** Answers that no caller may get because of an upgrade. */
  readonly failures: string[] = [];
  rounds = 0;
  readonly #jobs: Jobs;
  readonly #running: Promise<unknown>;
  #ends = false;
  #nextJob = 1;

  constructor(
    fleet: Fleet,
    targets: readonly S3Target[],
    /** The clients that may be asked; one that is stopped must be taken out first. */
    private readonly clients: ReadonlySet<ClientProcess>,
  ) {
    this.#jobs = new Jobs(fleet);
    this.#running = Promise.all(targets.flatMap((target) => [this.#work(target), this.#work(target)]));
  }

  /** Resolves when so many rounds more are done. */
  async goesOn(rounds = 20): Promise<void> {
    const before = this.rounds;
    await waitFor(() => this.rounds >= before + rounds, {
      timeoutMs: ROUNDS_MS,
      what: `the jobs to go on: ${this.failures.slice(-3).join('; ')}`,
    });
  }

  /** Every job ends its round first. */
  async end(): Promise<void> {
    this.#ends = true;
    await this.#running;
  }

  async #work(target: S3Target): Promise<void> {
    while (!this.#ends) {
      const jobid = this.#nextJob++;
      const mounted = await this.#ask('mount', jobid, target);
      if (mounted !== null) {
        this.#look(jobid, mounted);
        await sleep(HOLD_MS);
        this.#look(jobid, mounted);
      }
      await this.#ask('unmount', jobid, target);
      this.rounds += 1;
    }
  }

  #look(jobid: number, { body }: Answer): void {
    const path = String(body.mount_path);
    if (mountsBelow(path).length !== 1) this.lies.push(`job ${jobid}: ${path}`);
  }

  /** Asks until it succeeds; null: it failed for good. */
  async #ask(action: 'mount' | 'unmount', jobid: number, target: S3Target): Promise<Answer | null> {
    const deadline = performance.now() + GIVE_UP_MS;
    for (;;) {
      const clients = [...this.clients];
      const client = clients[jobid % clients.length];
      const answer = await this.#jobs[action](jobid, target, { client }).catch(() => null);
      if (answer?.status === 200) return answer;
      // No answer: the client was stopped meanwhile.
      if (answer !== null && !RETRYABLE.includes(answer.status)) {
        this.failures.push(`${action} of job ${jobid}: ${answer.status} ${JSON.stringify(answer.body)}`);
        return null;
      }
      if (performance.now() > deadline) {
        this.failures.push(`${action} of job ${jobid}: nothing but retries for ${GIVE_UP_MS} ms`);
        return null;
      }
      await sleep(RETRY_MS);
    }
  }
}
