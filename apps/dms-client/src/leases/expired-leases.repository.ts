import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type TargetKey } from '../ledger/target-key';
import { queryLedger } from '../queries/query-ledger';

/** Looked at in one round at most. */
const LIMIT = 200;

export interface ExpiredLease {
  readonly key: TargetKey;
  readonly jobid: number;
}

/** Finds bindings whose lease ran out. */
@Injectable()
export class ExpiredLeasesRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** Held bindings whose lease ran out `graceMs` ago or earlier, the oldest first. It is to be looked at again under the lock. */
  async find(graceMs: number): Promise<ExpiredLease[]> {
    const rows = await queryLedger<{ host: string; targetId: string; jobid: string }>(
      this.dataSource,
      `SELECT host, backup_target_id AS targetId, jobid FROM backup_target_mount_ledger
       WHERE lease_expires_at < NOW(6) - INTERVAL ? MICROSECOND AND mounted AND NOT COALESCE(deleted, FALSE)
       ORDER BY lease_expires_at LIMIT ?`,
      [graceMs * 1000, LIMIT],
    );
    return rows.map(({ host, targetId, jobid }) => ({ key: { host, targetId }, jobid: Number(jobid) }));
  }
}
