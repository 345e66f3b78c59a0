import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { livingWaiters, SELECT_WAITERS, type WaiterRow } from '../ledger/lease-waiter-statements';
import { ObservedChanges } from '../ledger/observed-changes';
import { type TargetKey } from '../ledger/target-key';
import { isLeased, type LeaseRow, leaseValue } from '../ledger/target-transaction';
import { queryLedger, writeLedger } from '../queries/query-ledger';

/** The lease of a target, as it was a moment ago. */
export interface LeaseLook {
  /** Somebody holds it and renews it. */
  readonly leased: boolean;
  /** The token of the one that has waited for it longest; null: nobody waits. */
  readonly first: string | null;
}

/** What is done with the leases of targets outside the transactions that decide. */
@Injectable()
export class TargetLeasesRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly observed: ObservedChanges,
  ) {}

  /** @throws DmsError LEDGER_UNAVAILABLE */
  async look(key: TargetKey): Promise<LeaseLook> {
    const of = [key.host, key.targetId];
    const [row] = await queryLedger<LeaseRow | undefined>(
      this.dataSource,
      `SELECT ${leaseValue('target_mounts')} AS leaseValue, lease_ms AS leaseMs FROM target_mounts
       WHERE host = ? AND backup_target_id = ?`,
      of,
    );
    const waiters = await queryLedger<WaiterRow>(this.dataSource, SELECT_WAITERS, of);
    return {
      leased: row !== undefined && isLeased(key, row, this.observed),
      first: livingWaiters(waiters, this.observed).living.at(0) ?? null,
    };
  }

  /**
   * Renews a lease; without effect where `token` does not hold it any more.
   *
   * @throws DmsError LEDGER_UNAVAILABLE
   */
  async renew(key: TargetKey, token: string, leaseMs: number): Promise<void> {
    await writeLedger(
      this.dataSource,
      `UPDATE target_mounts SET lease_renewals = lease_renewals + 1, updated_at = updated_at,
         lease_expires_at = NOW(6) + INTERVAL ? MICROSECOND
       WHERE host = ? AND backup_target_id = ? AND lease_token = ?`,
      [leaseMs * 1000, key.host, key.targetId, token],
    );
  }
}
