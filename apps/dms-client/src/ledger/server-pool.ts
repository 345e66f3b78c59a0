import * as mysql from 'mysql2';
import { DmsError } from '@app/contracts';
import { type DatabaseServer, printableServer } from '../settings/database-url';
import { failureClass, isIncomplete } from './ledger-errors';
import { explainTls } from './server-certificate';
import { serverRunOf, type ServerRuns } from './server-run';

/** Every session: UTC, READ COMMITTED, bounded lock waits. */
const SESSION = [
  "SET time_zone = '+00:00'",
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  'SET SESSION innodb_lock_wait_timeout = 5',
];
/**
 * For servers that know the variable. A transaction whose client went silent gives its row lock back (MySQL ends idle
 * sessions instead). On a Galera node each statement outside a transaction, and each START TRANSACTION, waits for what
 * other nodes have committed before: what answers a caller is not older than what the caller was told elsewhere.
 */
const IF_KNOWN = [
  'SET SESSION idle_transaction_timeout = 10',
  'SET SESSION wait_timeout = 600',
  'SET SESSION wsrep_sync_wait = 7',
];
/** Changes nothing, and is refused by a server that is read-only for this account or outside its primary component. */
const CHECK = 'UPDATE ledger_identity SET ledger_id = ledger_id WHERE FALSE';
const CHECK_TIMEOUT_MS = 2_000;

/** The connections to one server of the database. */
export class ServerPool {
  /** Host and port. */
  readonly address: string;
  readonly #pool: mysql.Pool;
  readonly #connections = new Set<mysql.PoolConnection>();
  readonly #idle = new Set<mysql.PoolConnection>();
  readonly #prepared = new WeakSet<mysql.PoolConnection>();
  #monitor: mysql.Connection | null = null;

  /** @param runs is told of each session before it is used */
  constructor(
    private readonly server: DatabaseServer,
    private readonly options: mysql.PoolOptions,
    private readonly runs: ServerRuns,
  ) {
    this.address = printableServer(server);
    this.#pool = mysql.createPool(options);
    this.#pool.on('connection', (connection) => {
      this.#connections.add(connection);
      connection.once('end', () => this.#forget(connection));
      connection.once('error', () => this.#forget(connection));
    });
    this.#pool.on('acquire', (connection) => this.#idle.delete(connection));
    this.#pool.on('release', (connection) => this.#idle.add(connection));
  }

  /** True while the server serves at least one connection. */
  get isConnected(): boolean {
    return this.#connections.size > 0;
  }

  owns(connection: mysql.PoolConnection): boolean {
    return this.#connections.has(connection);
  }

  /** Returns a connection whose session is set up. @throws the driver's error; DmsError if too many wait for one */
  async acquire(): Promise<mysql.PoolConnection> {
    const { latest } = this.runs;
    const connection = await new Promise<mysql.PoolConnection>((resolve, reject) => {
      this.#pool.getConnection((error: Error | null, made) => {
        if (error === null) resolve(made);
        else reject(error.message === 'Queue limit reached.' ? tooManyWait(error) : error);
      });
    }).catch((error: unknown) => this.#explained(error));
    if (this.#prepared.has(connection)) return connection;
    try {
      for (const statement of SESSION) await run(connection, statement);
      for (const statement of IF_KNOWN) await ignoringUnknown(run(connection, statement));
      this.runs.opened(await serverRunOf((sql) => run(connection, sql)), latest);
    } catch (error) {
      this.drop(connection);
      throw error;
    }
    this.#prepared.add(connection);
    return connection;
  }

  /** Closes one connection at once; its transaction is rolled back. */
  drop(connection: mysql.PoolConnection): void {
    this.#forget(connection);
    connection.destroy();
  }

  /**
   * Asks the server over a connection of its own whether it accepts writes. A busy pool therefore does not look like a
   * server that hangs.
   *
   * @throws the driver's error if it does not within some seconds
   */
  async check(): Promise<void> {
    const monitor = (this.#monitor ??= this.#openMonitor());
    try {
      await run(monitor, CHECK);
    } catch (error) {
      // Before the first migration the table is missing. Requests say so themselves.
      if (isIncomplete(error) || ['locked', 'again'].includes(failureClass(error))) return;
      this.#closeMonitor();
      return await this.#explained(error);
    }
  }

  /** Closes all connections: idle ones at once, others after the statement that they run. */
  close(): void {
    this.#closeMonitor();
    for (const connection of [...this.#idle]) this.drop(connection);
    this.#pool.end(() => undefined);
  }

  /** As {@link ServerPool.close}; resolves when all are closed. */
  async end(): Promise<void> {
    this.#closeMonitor();
    await new Promise<void>((resolve) => this.#pool.end(() => resolve()));
  }

  /** @throws the error, after it was found out what is wrong with the TLS of the server */
  async #explained(error: unknown): Promise<never> {
    await explainTls(error, this.server);
    throw error;
  }

  #openMonitor(): mysql.Connection {
    const { connectionLimit: _, waitForConnections: __, queueLimit: ___, ...options } = this.options;
    const monitor = mysql.createConnection(options);
    // A statement that fails tells of it, too.
    monitor.on('error', () => {
      if (this.#monitor === monitor) this.#monitor = null;
    });
    return monitor;
  }

  #closeMonitor(): void {
    this.#monitor?.destroy();
    this.#monitor = null;
  }

  #forget(connection: mysql.PoolConnection): void {
    this.#connections.delete(connection);
    this.#idle.delete(connection);
  }
}

function run(connection: mysql.Connection, sql: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    connection.query({ sql, timeout: CHECK_TIMEOUT_MS }, (error, rows) => {
      if (error === null) resolve(rows);
      else reject(error);
    });
  });
}

/** An unknown variable means that the server is MySQL. */
async function ignoringUnknown(setting: Promise<unknown>): Promise<void> {
  try {
    await setting;
  } catch (error) {
    if (failureClass(error) !== 'defect') throw error;
  }
}

function tooManyWait(cause: Error): DmsError {
  return new DmsError('LEDGER_UNAVAILABLE', 'Too many requests wait for a connection to the database', {
    cause,
  });
}
