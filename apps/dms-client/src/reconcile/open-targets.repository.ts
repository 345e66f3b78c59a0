import { Injectable } from '@nestjs/common';
import { type MountState } from '@app/contracts';
import { DataSource } from 'typeorm';
import { CLAIM_VALUE, type ClaimRow, isUnanswered } from '../ledger/binding-statements';
import { executingTargets } from '../ledger/executing-operations';
import { ObservedChanges } from '../ledger/observed-changes';
import { COUNTED } from '../ledger/target-conditions';
import { keyText, type TargetKey } from '../ledger/target-key';
import { isLeased, type LeaseRow, leaseValue } from '../ledger/target-transaction';
import { queryLedger, writeLedger } from '../queries/query-ledger';
import { inTurns } from './in-turns';

/** Looked at in one round at most; the nodes take turns. */
const LIMIT = 200;
/** Rows that are read for a round at most. */
const READ = 1_000;

interface RestlessRow extends LeaseRow {
  readonly host: string;
  readonly targetId: string;
  readonly state: MountState;
}

/** Finds targets whose row is not what it should be at rest. */
@Injectable()
export class OpenTargetsRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly observed: ObservedChanges,
  ) {}

  /**
   * Targets that nobody works on, and that are between two states, mounted without a binding, or have operations or
   * claims that were left open. That a process is gone shows only after this one has observed it for a while: to be
   * called every few seconds.
   */
  async find(claimTtlMs: number): Promise<TargetKey[]> {
    const { workedOn, abandoned } = await executingTargets(this.dataSource, this.observed);
    const restless = (await this.#restless()).filter(
      (row) =>
        !isLeased(row, row, this.observed) &&
        !((row.state === 'MOUNTED' || row.state === 'BROKEN') && workedOn.has(keyText(row))),
    );
    const unanswered = await this.#unanswered(claimTtlMs);
    const found = new Map<string, TargetKey>();
    for (const { host, targetId } of [...restless, ...abandoned, ...unanswered]) {
      found.set(keyText({ host, targetId }), { host, targetId });
    }
    return inTurns([...found.values()], LIMIT);
  }

  /** Says that this process works on these operations still. */
  async renew(operationIds: readonly string[]): Promise<void> {
    if (operationIds.length === 0) return;
    await writeLedger(this.dataSource, 'UPDATE mount_operations SET renewed_at = NOW(6) WHERE id IN (?)', [
      operationIds,
    ]);
  }

  /** Those that changed least lately come first, so that none is hidden behind others for ever. */
  async #restless(): Promise<RestlessRow[]> {
    return queryLedger<RestlessRow>(
      this.dataSource,
      `SELECT t.host, t.backup_target_id AS targetId, t.state, ${leaseValue('t')} AS leaseValue, t.lease_ms AS leaseMs
       FROM target_mounts t WHERE t.state IN ('MOUNTING', 'UNMOUNTING', 'UNCERTAIN', 'STUCK')
         OR (t.state IN ('MOUNTED', 'BROKEN') AND NOT EXISTS (${COUNTED}))
       ORDER BY t.updated_at LIMIT ?`,
      [READ],
    );
  }

  async #unanswered(claimTtlMs: number): Promise<TargetKey[]> {
    const rows = await queryLedger<ClaimRow & TargetKey>(
      this.dataSource,
      `SELECT b.id, b.host, b.backup_target_id AS targetId, ${CLAIM_VALUE} AS value FROM backup_target_mount_ledger b
       WHERE b.state = 'claimed' AND NOT COALESCE(b.mounted, FALSE) ORDER BY b.id LIMIT ?`,
      [READ],
    );
    return rows.filter((row) => isUnanswered(row, claimTtlMs, this.observed));
  }
}
