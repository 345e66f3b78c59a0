import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ledgerError } from '../ledger/ledger-errors';

/** Renewed while the work goes on; so long another process waits for one that died. */
const LEASE_SECONDS = 5;
const RENEW_MS = 1_500;
const RETRY_MS = 200;

/** The right to reconcile a node: one process at a time for each host, by a lease in its row of `nodes`. */
@Injectable()
export class NodeLeaseRepository {
  readonly #log = new Logger(NodeLeaseRepository.name);

  constructor(private readonly dataSource: DataSource) {}

  /**
   * Runs `work` under the node's lease; null where another process has it, or the node is not known.
   *
   * @param patienceMs how long another process is waited for
   */
  async run<T>(host: string, work: () => Promise<T>, patienceMs = 0): Promise<T | null> {
    const token = randomUUID();
    const deadline = performance.now() + patienceMs;
    while (!(await this.#take(host, token))) {
      if (performance.now() >= deadline) return null;
      await sleep(RETRY_MS);
    }
    const timer = setInterval(() => {
      this.#renew(host, token).catch((error: unknown) =>
        this.#log.warn({ msg: 'The lease of a node could not be renewed', host, err: error }),
      );
    }, RENEW_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      await this.#release(host, token);
    }
  }

  /** Hosts of all nodes that can be asked: those that were forgotten or run a Python server cannot. */
  async hosts(): Promise<string[]> {
    const rows = await this.#query<{ host: string }[]>(
      `SELECT host FROM nodes WHERE state NOT IN ('forgotten', 'legacy') ORDER BY host`,
      [],
    );
    return rows.map(({ host }) => host);
  }

  async #take(host: string, token: string): Promise<boolean> {
    const { affectedRows } = await this.#query<{ affectedRows: number }>(
      `UPDATE nodes SET lease_token = ?, lease_owner = ?, lease_expires_at = NOW(6) + INTERVAL ? SECOND
       WHERE host = ? AND (lease_expires_at IS NULL OR lease_expires_at <= NOW(6))`,
      [token, `${hostname()}:${process.pid}`, LEASE_SECONDS, host],
    );
    return affectedRows === 1;
  }

  async #renew(host: string, token: string): Promise<void> {
    await this.#query(
      'UPDATE nodes SET lease_expires_at = NOW(6) + INTERVAL ? SECOND WHERE host = ? AND lease_token = ?',
      [LEASE_SECONDS, host, token],
    );
  }

  async #release(host: string, token: string): Promise<void> {
    await this.#query(
      `UPDATE nodes SET lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL WHERE host = ? AND lease_token = ?`,
      [host, token],
    );
  }

  async #query<T>(sql: string, parameters: unknown[]): Promise<T> {
    try {
      return await this.dataSource.query<T>(sql, parameters);
    } catch (error) {
      throw ledgerError(error);
    }
  }
}
