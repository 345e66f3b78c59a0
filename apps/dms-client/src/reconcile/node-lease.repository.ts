import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ObservedChanges } from '../ledger/observed-changes';
import { queryLedger, writeLedger } from '../queries/query-ledger';

/** Renewed while the work goes on; so long another process waits for one that died. */
const LEASE_MS = 5_000;
const RENEW_MS = 1_500;
const RETRY_MS = 200;

/** What a renewal changes. Older versions change the time alone. */
const LEASE_VALUE = "CONCAT(lease_token, '/', lease_renewals, '/', lease_expires_at)";

/**
 * The right to reconcile a node: one process at a time for each host, by a lease in its row of `nodes`. Another process
 * takes it over when it has observed that nobody renewed it for five seconds.
 */
@Injectable()
export class NodeLeaseRepository {
  readonly #log = new Logger(NodeLeaseRepository.name);

  constructor(
    private readonly dataSource: DataSource,
    private readonly observed: ObservedChanges,
  ) {}

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
    const rows = await queryLedger<{ host: string }>(
      this.dataSource,
      `SELECT host FROM nodes WHERE state NOT IN ('forgotten', 'legacy') ORDER BY host`,
      [],
    );
    return rows.map(({ host }) => host);
  }

  /** Hosts with a Python server, and hosts of which a binding is held and no node was ever heard. */
  async incomparable(): Promise<{ host: string; legacy: boolean }[]> {
    const rows = await queryLedger<{ host: string; legacy: unknown }>(
      this.dataSource,
      `SELECT host, 1 AS legacy FROM nodes WHERE state = 'legacy'
       UNION ALL
       SELECT DISTINCT b.host, 0 FROM backup_target_mount_ledger b LEFT JOIN nodes n ON n.host = b.host
       WHERE b.mounted AND COALESCE(b.deleted, 0) = 0 AND n.host IS NULL ORDER BY host`,
      [],
    );
    return rows.map(({ host, legacy }) => ({ host, legacy: Number(legacy) === 1 }));
  }

  /** Takes the lease if it is free, or was not renewed; and only as it was when that was seen. */
  async #take(host: string, token: string): Promise<boolean> {
    const [row] = await queryLedger<{ value: string | null } | undefined>(
      this.dataSource,
      `SELECT ${LEASE_VALUE} AS value FROM nodes WHERE host = ?`,
      [host],
    );
    if (row === undefined) return false;
    const { value } = row;
    if (value !== null && !this.observed.isStale(`lease of node ${host}`, value, LEASE_MS)) return false;
    const taken = await writeLedger(
      this.dataSource,
      `UPDATE nodes SET lease_token = ?, lease_owner = ?, lease_renewals = lease_renewals + 1,
         lease_expires_at = NOW(6) + INTERVAL ? MICROSECOND WHERE host = ? AND ${LEASE_VALUE} <=> ?`,
      [token, `${hostname()}:${process.pid}`, LEASE_MS * 1000, host, value],
    );
    return taken === 1;
  }

  async #renew(host: string, token: string): Promise<void> {
    await writeLedger(
      this.dataSource,
      `UPDATE nodes SET lease_renewals = lease_renewals + 1, lease_expires_at = NOW(6) + INTERVAL ? MICROSECOND
       WHERE host = ? AND lease_token = ?`,
      [LEASE_MS * 1000, host, token],
    );
  }

  async #release(host: string, token: string): Promise<void> {
    await writeLedger(
      this.dataSource,
      `UPDATE nodes SET lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL WHERE host = ? AND lease_token = ?`,
      [host, token],
    );
  }
}
