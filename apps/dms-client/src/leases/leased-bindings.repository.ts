import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { BINDING_LEASE_VALUE } from '../ledger/binding-statements';
import { type TargetKey } from '../ledger/target-key';
import { queryLedger } from '../queries/query-ledger';

/** Read in one round at most. */
const PAGE = 1_000;

/** A binding that its job has to renew. */
export interface LeasedBinding {
  readonly id: number;
  readonly key: TargetKey;
  readonly jobid: number;
  readonly leaseS: number;
  /** What a renewal changes. */
  readonly value: string;
}

/** Where a page of bindings ends; the next one begins behind it. */
export interface PageEnd {
  readonly expiresAt: string;
  readonly id: number;
}

/** Reads the held bindings that have a lease. */
@Injectable()
export class LeasedBindingsRepository {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * A page of them, in the order of an index.
   *
   * @param after where the page before ended; null: the first page
   * @returns `end` is null after the last page
   */
  async page(after: PageEnd | null): Promise<{ bindings: LeasedBinding[]; end: PageEnd | null }> {
    const { expiresAt, id } = after ?? { expiresAt: '0001-01-01', id: 0 };
    const rows = await queryLedger<{
      id: unknown;
      host: string;
      targetId: string;
      jobid: unknown;
      leaseS: unknown;
      value: string;
      expiresAt: string;
    }>(
      this.dataSource,
      `SELECT id, host, backup_target_id AS targetId, jobid, COALESCE(lease_s, 0) AS leaseS,
         ${BINDING_LEASE_VALUE} AS value, CAST(lease_expires_at AS CHAR) AS expiresAt
       FROM backup_target_mount_ledger
       WHERE lease_expires_at >= ? AND (lease_expires_at > ? OR id > ?) AND mounted AND NOT COALESCE(deleted, FALSE)
       ORDER BY lease_expires_at, id LIMIT ?`,
      [expiresAt, expiresAt, id, PAGE],
    );
    const last = rows.length === PAGE ? rows[PAGE - 1] : null;
    return {
      bindings: rows.map((row) => ({
        id: Number(row.id),
        key: { host: row.host, targetId: row.targetId },
        jobid: Number(row.jobid),
        leaseS: Number(row.leaseS),
        value: row.value,
      })),
      end: last === null ? null : { expiresAt: last.expiresAt, id: Number(last.id) },
    };
  }
}
