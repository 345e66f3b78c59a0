import { Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { RareWarnings } from '@app/platform';
import { type PoolConnection } from 'mysql2';
import { type DataSource } from 'typeorm';
import { failureClass, failureText, isLoginRefused } from './ledger-errors';
import { type ServerPool } from './server-pool';
import { ServerRuns } from './server-run';

/** A search begins with the next server when this one has not answered for so long. */
const STAGGER_MS = 500;
/** After a search that found no server, requests fail at once for so long. */
const SEARCH_PAUSE_MS = 500;
/** So long the answer of a check counts. */
const CHECK_EVERY_MS = 1_000;
/** A server that failed a statement is not called ready for so long: some failures show in real writes only. */
const TROUBLE_MS = 5_000;
/** At the end of the program a server that hangs is not waited for. */
const END_MS = 2_000;

/** Opens the pool of one server, which tells `runs` of each session before it is used. */
type Opener = (runs: ServerRuns) => ServerPool;
type Callback = (error: unknown, connection?: PoolConnection) => void;

/**
 * The pool that TypeORM uses: all connections go to one server of DMS_DB_URL, the first that accepts writes. When that
 * server fails, all of them go to the next one, and stay there when the first comes back.
 */
export class FailoverPool {
  readonly #log = new Logger('Database');
  readonly #warnings = new RareWarnings(this.#log);
  readonly #monitor: NodeJS.Timeout | undefined;
  #current: ServerPool | null = null;
  #search: Promise<ServerPool> | null = null;
  #checked: { readonly at: number; readonly result: Promise<string> } | null = null;
  #nothing: { readonly at: number; readonly error: unknown } | null = null;
  #trouble: { readonly at: number; readonly address: string; readonly error: unknown } | null = null;
  #first = 0;
  #isUp = false;
  #hasFailed = false;
  #isClosed = false;
  readonly #listeners: (() => void)[] = [];
  /** Behind one address, a server may take over while each lost connection looks like a trouble of its own. */
  readonly #runs = new ServerRuns(() => {
    this.#log.log('Another server of the database, or the same one after a restart, answers');
    this.#tellListeners();
  });

  /**
   * @param openers make the connections to each server, in the order in which they are tried
   * @param monitorMs milliseconds between two checks; 0 switches them off
   */
  constructor(
    private readonly openers: readonly Opener[],
    monitorMs: number,
  ) {
    if (monitorMs === 0) return;
    // A failed check is told where the server is left.
    this.#monitor = setInterval(() => void this.check().catch(() => undefined), monitorMs);
    this.#monitor.unref();
  }

  /** Returns true if the last check or search found a server that accepts writes. */
  get isUp(): boolean {
    return this.#isUp && !this.#isTroubled(this.#current?.address);
  }

  /**
   * Calls `listener` when a server is used after the one before it failed, also if it is the same one, and when another
   * server answers at the same address, before a statement is sent to it. It may lack the last commits.
   */
  onFailover(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** For TypeORM. */
  getConnection(callback: Callback): void {
    this.#acquire().then((connection) => callback(null, connection), callback);
  }

  /** For TypeORM. */
  end(callback: (error?: unknown) => void): void {
    this.#isClosed = true;
    clearInterval(this.#monitor);
    const ended = this.#current?.end() ?? Promise.resolve();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, END_MS)));
    void Promise.race([ended, late]).then(() => {
      clearTimeout(timer);
      callback();
    });
  }

  /**
   * Asks the server whether it accepts writes, at most once a second, and moves to another one if it does not.
   *
   * @returns host and port of the server in use
   * @throws what is wrong with the servers
   */
  check(): Promise<string> {
    const now = performance.now();
    if (this.#checked !== null && now - this.#checked.at < CHECK_EVERY_MS) return this.#checked.result;
    const result = this.#check();
    this.#checked = { at: now, result };
    const tell = (isUp: boolean) => (): void => void (this.#isUp = isUp);
    result.then(tell(true), tell(false));
    return result;
  }

  /** Takes note that a statement failed. The connection is closed if it or its server are of no more use. */
  failed(connection: PoolConnection, error: unknown): void {
    const kind = failureClass(error);
    const server = this.#current;
    if (kind === 'configuration' && server?.owns(connection)) this.#suspect(server, error);
    if (kind !== 'server' && kind !== 'connection' && kind !== 'limit') return;
    if (server?.owns(connection) !== true) return connection.destroy();
    server.drop(connection);
    if (kind === 'connection') {
      // One connection says little about its server.
      this.#checked = null;
      this.check().catch(() => undefined);
      return;
    }
    this.#suspect(server, error);
    this.#leave(server, error);
  }

  async #acquire(): Promise<PoolConnection> {
    for (let attempt = 0; ; attempt += 1) {
      const server = await this.#serving();
      try {
        return await server.acquire();
      } catch (error) {
        if (attempt > this.openers.length) throw error;
        if (server !== this.#current) continue;
        if (error instanceof DmsError) throw error;
        this.#suspect(server, error);
        if (!this.#leaveUnlessConnected(server, error)) throw error;
      }
    }
  }

  async #check(): Promise<string> {
    const server = await this.#serving();
    try {
      // The monitoring connection alone may have been ended.
      await server
        .check()
        .catch((error: unknown) => (isHanging(error) ? Promise.reject(error as Error) : server.check()));
    } catch (error) {
      this.#leaveUnlessConnected(server, error);
      throw error;
    }
    if (this.#isTroubled(server.address)) throw this.#trouble?.error;
    return server.address;
  }

  /** Returns false if the server only refuses further connections: those that are open go on. */
  #leaveUnlessConnected(server: ServerPool, error: unknown): boolean {
    const kind = failureClass(error);
    if ((kind !== 'limit' && kind !== 'configuration') || !server.isConnected) {
      this.#leave(server, error);
      return true;
    }
    this.#suspect(server, error);
    return false;
  }

  /** The server is not called ready for some seconds. */
  #suspect(server: ServerPool, error: unknown): void {
    this.#warn(server, error);
    this.#trouble = { at: performance.now(), address: server.address, error };
  }

  #isTroubled(address: string | undefined): boolean {
    const trouble = this.#trouble;
    return trouble !== null && trouble.address === address && performance.now() - trouble.at < TROUBLE_MS;
  }

  async #serving(): Promise<ServerPool> {
    if (this.#isClosed) throw new Error('The pool of connections to the database is closed');
    if (this.#current !== null) return this.#current;
    const nothing = this.#nothing;
    if (this.#search !== null) {
      // One request finds out; the others need not wait for a server that does not answer.
      if (nothing !== null) throw nothing.error;
      return this.#search;
    }
    if (nothing !== null && performance.now() - nothing.at < SEARCH_PAUSE_MS) throw nothing.error;
    this.#search = this.#find().finally(() => (this.#search = null));
    return this.#search;
  }

  async #find(): Promise<ServerPool> {
    const order = this.openers.map((_, index) => (this.#first + index) % this.openers.length);
    try {
      const { index, server } = await firstToServe(
        order.map((index) => ({ index, open: () => this.openers[index](this.#runs) })),
        (server, error) => this.#warn(server, error),
      );
      if (this.#isClosed) server.close();
      if (this.#hasFailed || index !== 0) this.#log.log(`dms-client uses the database at ${server.address}`);
      if (this.#hasFailed) this.#tellListeners();
      this.#hasFailed = false;
      this.#nothing = null;
      this.#first = index;
      this.#current = server;
      this.#isUp = true;
      return server;
    } catch (error) {
      this.#nothing = { at: performance.now(), error };
      this.#hasFailed = true;
      this.#isUp = false;
      throw error;
    }
  }

  #tellListeners(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Closes all connections to a server; the next search begins with the server after it. */
  #leave(server: ServerPool, error: unknown): void {
    if (server !== this.#current) return;
    this.#warn(server, error);
    this.#current = null;
    this.#checked = null;
    this.#isUp = false;
    this.#hasFailed = true;
    this.#first = (this.#first + 1) % this.openers.length;
    server.close();
  }

  #warn(server: ServerPool, error: unknown): void {
    this.#warnings.warn(`The database at ${server.address} ${failureText(error)}`);
  }
}

/** The pool behind a data source that is connected. */
export function poolOf(dataSource: DataSource): FailoverPool {
  return (dataSource.driver as unknown as { readonly pool: FailoverPool }).pool;
}

/** The server has not answered in time: asking once more takes as long again. */
function isHanging(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'PROTOCOL_SEQUENCE_TIMEOUT';
}

interface Candidate {
  readonly index: number;
  readonly open: () => ServerPool;
}

/**
 * Asks the servers one after the other, the next when one fails or is late, and returns the first that accepts writes.
 *
 * @throws the error of one of them: a refused login only if all refuse
 */
function firstToServe(
  candidates: readonly Candidate[],
  tell: (server: ServerPool, error: unknown) => void,
): Promise<{ index: number; server: ServerPool }> {
  return new Promise((resolve, reject) => {
    const errors: Error[] = [];
    let begun = 0;
    let isFound = false;
    let timer: NodeJS.Timeout | undefined;
    const begin = (): void => {
      clearTimeout(timer);
      if (isFound || begun === candidates.length) return;
      const { index, open } = candidates[begun];
      begun += 1;
      const server = open();
      timer = setTimeout(begin, STAGGER_MS);
      server.check().then(
        () => {
          if (isFound) return server.close();
          isFound = true;
          clearTimeout(timer);
          resolve({ index, server });
        },
        (error: Error) => {
          tell(server, error);
          server.close();
          errors.push(error);
          if (errors.length < candidates.length) return begin();
          clearTimeout(timer);
          reject(errors.find((other) => !isLoginRefused(other)) ?? error);
        },
      );
    };
    begin();
  });
}
