import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ABANDONED_AFTER_MS } from '../ledger/executing-operations';
import { queryLedger } from '../queries/query-ledger';

export interface Counted {
  readonly n: number;
}

export interface OpenOperations extends Counted {
  readonly action: string;
}

export interface Waiting extends Counted {
  /** Seconds; 0 where nothing waits. */
  readonly oldest: number;
}

/** Counts for metrics. Each is read by an index, and for all nodes together. */
@Injectable()
export class LedgerCountsRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** Those that are not released. */
  bindings(): Promise<(Counted & { state: string })[]> {
    return this.#rows(
      `SELECT 'held' AS state, COUNT(*) AS n FROM backup_target_mount_ledger
         WHERE mounted = TRUE AND NOT COALESCE(deleted, FALSE)
       UNION ALL SELECT state, COUNT(*) FROM backup_target_mount_ledger
         WHERE state IN ('claimed', 'lost') AND NOT COALESCE(mounted, FALSE) AND NOT COALESCE(deleted, FALSE)
         GROUP BY state`,
    );
  }

  /** Those that are not ABSENT. */
  mounts(): Promise<(Counted & { state: string; type: string })[]> {
    return this.#rows(
      `SELECT state, COALESCE(type, 'unknown') AS type, COUNT(*) AS n FROM target_mounts
       WHERE state IN ('MOUNTING', 'MOUNTED', 'UNMOUNTING', 'UNCERTAIN', 'BROKEN', 'STUCK') GROUP BY 1, 2`,
    );
  }

  /** Mounts that stand, or may, and that no job holds or has asked for. */
  async unheldMounts(): Promise<number> {
    const [{ n }] = await this.#rows<Counted>(
      `SELECT COUNT(*) AS n FROM target_mounts t
       WHERE state IN ('MOUNTED', 'UNMOUNTING', 'UNCERTAIN', 'BROKEN', 'STUCK') AND NOT EXISTS (
         SELECT 1 FROM backup_target_mount_ledger b WHERE b.host = t.host AND b.backup_target_id = t.backup_target_id
           AND NOT COALESCE(b.deleted, FALSE) AND (b.mounted OR b.state = 'claimed'))`,
    );
    return n;
  }

  openOperations(): Promise<OpenOperations[]> {
    return this.#rows(
      `SELECT action, COUNT(*) AS n FROM mount_operations WHERE status IN ('pending', 'executing') GROUP BY action`,
    );
  }

  /** Operations whose outcome is unknown: no process works on them, and they have not ended. */
  async uncertainOperations(): Promise<Waiting> {
    const [row] = await this.#rows<Waiting>(
      `SELECT COUNT(*) AS n, COALESCE(TIMESTAMPDIFF(SECOND, MIN(created_at), NOW(6)), 0) AS oldest
       FROM mount_operations WHERE status IN ('pending', 'executing') AND renewed_at < NOW(6) - INTERVAL ? MICROSECOND`,
      [ABANDONED_AFTER_MS * 1000],
    );
    return row;
  }

  async leases(): Promise<number> {
    const [{ n }] = await this.#rows<Counted>(
      'SELECT COUNT(*) AS n FROM target_mounts WHERE lease_token IS NOT NULL AND lease_expires_at > NOW(6)',
    );
    return n;
  }

  async leaseWaiters(): Promise<Waiting> {
    const [row] = await this.#rows<Waiting>(
      `SELECT COUNT(*) AS n, COALESCE(TIMESTAMPDIFF(SECOND, MIN(waits_since), NOW(6)), 0) AS oldest
       FROM lease_waiters WHERE expires_at > NOW(6)`,
    );
    return row;
  }

  async #rows<Row extends Counted>(sql: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    const rows = await queryLedger<Row & { oldest?: unknown }>(this.dataSource, sql, parameters);
    return rows.map((row) => ({ ...row, n: Number(row.n), oldest: Number(row.oldest ?? 0) }));
  }
}
