import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { COUNTED, WORKED_ON } from '../ledger/target-conditions';
import { type TargetKey } from '../ledger/target-key';
import { ledgerError } from '../ledger/ledger-errors';
import { ABANDONED_AFTER_MS } from '../mounts/leftover-operations';

/** Looked at in one round at most. */
const LIMIT = 200;

const UNLEASED = 't.lease_expires_at IS NULL OR t.lease_expires_at <= NOW(6)';

/** Finds targets whose row is not what it should be at rest. */
@Injectable()
export class OpenTargetsRepository {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Targets that nobody works on, and that are between two states, mounted without a binding, or have operations or
   * claims that were left open.
   */
  async find(claimTtlMs: number): Promise<TargetKey[]> {
    try {
      const rows = await this.dataSource.query<TargetKey[]>(
        `SELECT t.host, t.backup_target_id AS targetId FROM target_mounts t
           WHERE (${UNLEASED}) AND (t.state IN ('MOUNTING', 'UNMOUNTING', 'UNCERTAIN', 'STUCK')
             OR (t.state IN ('MOUNTED', 'BROKEN') AND NOT EXISTS (${COUNTED}) AND NOT EXISTS (${WORKED_ON})))
         UNION SELECT o.host, o.backup_target_id FROM mount_operations o
           WHERE o.status IN ('pending', 'executing') AND o.renewed_at < NOW(6) - INTERVAL ? MICROSECOND
         UNION SELECT b.host, b.backup_target_id FROM backup_target_mount_ledger b
           WHERE b.state = 'claimed' AND NOT COALESCE(b.mounted, FALSE) AND b.updated_at < NOW(6) - INTERVAL ? MICROSECOND
         LIMIT ?`,
        [ABANDONED_AFTER_MS * 1000, ABANDONED_AFTER_MS * 1000, claimTtlMs * 1000, LIMIT],
      );
      return rows.map(({ host, targetId }) => ({ host, targetId }));
    } catch (error) {
      throw ledgerError(error);
    }
  }

  /** Says that this process works on these operations still. */
  async renew(operationIds: readonly string[]): Promise<void> {
    if (operationIds.length === 0) return;
    await this.dataSource.query('UPDATE mount_operations SET renewed_at = NOW(6) WHERE id IN (?)', [
      operationIds,
    ]);
  }
}
