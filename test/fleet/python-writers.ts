import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection } from 'mysql2/promise';
import { PythonLedger } from './python-ledger';

/** Longest time that a node takes in these histories; the transaction is open meanwhile. */
const NODE_MS = 30;
/** Longest time until a client gets its next request. */
const IDLE_MS = 60;

/** What a client has committed of a job. */
export interface Written {
  readonly jobid: number;
  readonly mounted: 0 | 1;
}

/**
 * Python clients that mount and unmount for ever, each with a connection and jobs of its own, as that client does it: a
 * transaction that is open from the first look at the ledger until the node has answered.
 */
export class PythonWriters {
  readonly #written = new Map<number, 0 | 1>();
  readonly #errors: unknown[] = [];
  readonly #running: Promise<void>[];
  #goOn = true;
  #longestMs = 0;

  constructor(
    connections: readonly Connection[],
    private readonly firstJob: number,
    private readonly target: string,
    private readonly host: string,
  ) {
    this.#running = connections.map((connection, index) =>
      this.#run(new PythonLedger(connection), index).catch((error: unknown) => {
        this.#errors.push(error);
      }),
    );
  }

  /** How many writes were committed. */
  get count(): number {
    return this.#commits;
  }
  #commits = 0;

  /** The longest that one statement had to wait, in milliseconds. */
  get longestMs(): number {
    return this.#longestMs;
  }

  /** Ends them and gives what they wrote, by job. @throws AggregateError where one of them met an error */
  async stop(): Promise<Written[]> {
    this.#goOn = false;
    await Promise.all(this.#running);
    if (this.#errors.length > 0) throw new AggregateError(this.#errors, String(this.#errors[0]));
    return [...this.#written]
      .map(([jobid, mounted]) => ({ jobid, mounted }))
      .sort((a, b) => a.jobid - b.jobid);
  }

  async #run(ledger: PythonLedger, index: number): Promise<void> {
    for (let turn = 0; this.#goOn; turn += 1) {
      const jobid = this.firstJob + index * 100_000 + Math.floor(turn / 3);
      const mounts = turn % 3 !== 2;
      await this.#timed(() => ledger.active(this.target, this.host));
      await sleep(Math.random() * NODE_MS);
      await this.#timed(() =>
        mounts
          ? ledger.mounted(jobid, this.target, this.host)
          : ledger.unmounted(jobid, this.target, this.host),
      );
      this.#written.set(jobid, mounts ? 1 : 0);
      this.#commits += 1;
      await sleep(Math.random() * IDLE_MS);
    }
  }

  async #timed(work: () => Promise<unknown>): Promise<void> {
    const began = performance.now();
    await work();
    this.#longestMs = Math.max(this.#longestMs, performance.now() - began);
  }
}
