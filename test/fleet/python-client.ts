import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Readable, type Writable } from 'node:stream';
import { type Connection, createConnection } from 'mysql2/promise';
import { cleanEnvironment } from '../rig';
import { PythonLedger } from './python-ledger';
import { WireClient } from './wire-client';

export interface PythonClientOptions {
  readonly brokerUrl: string;
  readonly databaseUrl: string;
  readonly host: string;
  /** Its global lock. */
  readonly lockFile: string;
}

/** The request of a job, as its caller gives it. */
export type PythonRequest = Record<string, unknown> & {
  readonly backup_target: { readonly id: string };
  readonly job: object;
};

/**
 * What happens when the node has answered and nothing is written yet: the client is killed and never writes, or it is
 * held up until the promise is kept.
 */
export type BeforeCommit = 'killed' | (() => Promise<void>);

/** What a call answers: the three keys of the wire. */
export interface PythonAnswer {
  readonly status: string;
  readonly error_msg: string | null;
  readonly success_msg: string | null;
}

/**
 * A stand-in for a process of the Python client: under its global lock it looks into the ledger, asks the node only for
 * the first mount and the last unmount of a target, and writes the ledger after the answer, in one transaction.
 */
export class PythonClient {
  readonly #ledger: PythonLedger;

  private constructor(
    private readonly options: PythonClientOptions,
    private readonly wire: WireClient,
    private readonly connection: Connection,
  ) {
    this.#ledger = new PythonLedger(connection);
  }

  static async open(options: PythonClientOptions): Promise<PythonClient> {
    const wire = await WireClient.open(options.brokerUrl, options.host);
    return new PythonClient(options, wire, await createConnection(options.databaseUrl));
  }

  mount(jobid: number, request: PythonRequest, beforeCommit?: BeforeCommit): Promise<PythonAnswer> {
    return this.#locked(async () => {
      const { id } = request.backup_target;
      const others = await this.#ledger.active(id, this.options.host);
      const answer = others.length > 0 ? shared(request) : await this.#ask('mount', jobid, request);
      if (typeof beforeCommit === 'function') await beforeCommit();
      if (answer.status !== 'success') await this.#ledger.rollback();
      else if (beforeCommit !== 'killed') await this.#ledger.mounted(jobid, id, this.options.host);
      return answer;
    });
  }

  unmount(jobid: number, request: PythonRequest, beforeCommit?: BeforeCommit): Promise<PythonAnswer> {
    return this.#locked(async () => {
      const { id } = request.backup_target;
      const active = await this.#ledger.active(id, this.options.host);
      const last = active.length === 1 && active[0] === jobid;
      const answer = last ? await this.#ask('unmount', jobid, request) : shared(request);
      if (typeof beforeCommit === 'function') await beforeCommit();
      if (answer.status !== 'success') await this.#ledger.rollback();
      else if (beforeCommit !== 'killed') await this.#ledger.unmounted(jobid, id, this.options.host);
      return answer;
    });
  }

  /** What a person does with that client's database and broker at hand: an unmount, whatever the ledger says. */
  unmountAnyway(jobid: number, request: PythonRequest): Promise<PythonAnswer> {
    return this.#ask('unmount', jobid, request);
  }

  /** As a killed process goes: nothing is committed. */
  async kill(): Promise<void> {
    this.connection.destroy();
    await this.wire.close();
  }

  async close(): Promise<void> {
    await this.connection.end();
    await this.wire.close();
  }

  async #ask(action: string, jobid: number, request: PythonRequest): Promise<PythonAnswer> {
    const { body } = await this.wire.call({ ...request, job: { ...request.job, jobid }, jobid, action });
    return body as unknown as PythonAnswer;
  }

  async #locked<T>(work: () => Promise<T>): Promise<T> {
    const holder: ChildProcessByStdio<Writable, Readable, null> = spawn(
      'flock',
      [this.options.lockFile, 'sh', '-c', 'echo held; exec cat'],
      { stdio: ['pipe', 'pipe', 'inherit'], env: cleanEnvironment() },
    );
    await once(holder.stdout, 'data');
    try {
      return await work();
    } finally {
      const ended = once(holder, 'exit');
      holder.stdin.end();
      await ended;
    }
  }
}

function shared(request: PythonRequest): PythonAnswer {
  return { status: 'success', error_msg: null, success_msg: `shared ${request.backup_target.id}` };
}
