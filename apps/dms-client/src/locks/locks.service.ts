import { Injectable, Logger } from '@nestjs/common';
import { DmsError, type LockDto, type LockListDto } from '@app/contracts';
import { DataSource } from 'typeorm';
import { type TargetKey } from '../ledger/target-key';
import { TargetLedger } from '../ledger/target-ledger';
import { isoTime, queryLedger } from '../queries/query-ledger';

interface LockRow {
  readonly host: string;
  readonly targetId: string;
  readonly owner: string;
  readonly expiresAt: Date;
  readonly expired: number;
  readonly waiting: number;
  readonly waitingSince: Date | null;
}

/** Shows operators the leases of targets, and takes one away where they say so. */
@Injectable()
export class LocksService {
  readonly #log = new Logger(LocksService.name);

  constructor(
    private readonly dataSource: DataSource,
    private readonly ledger: TargetLedger,
  ) {}

  /** @throws DmsError LEDGER_UNAVAILABLE */
  async list(): Promise<LockListDto> {
    const rows = await queryLedger<LockRow>(
      this.dataSource,
      `SELECT t.host, t.backup_target_id AS targetId, t.lease_owner AS owner, t.lease_expires_at AS expiresAt,
         t.lease_expires_at <= NOW(6) AS expired, COUNT(w.id) AS waiting, MIN(w.waits_since) AS waitingSince
       FROM target_mounts t LEFT JOIN lease_waiters w
         ON w.host = t.host AND w.backup_target_id = t.backup_target_id AND w.expires_at > NOW(6)
       WHERE t.lease_token IS NOT NULL GROUP BY t.host, t.backup_target_id ORDER BY t.host, t.backup_target_id`,
      [],
    );
    return { locks: rows.map(lockOf) };
  }

  /**
   * Takes the lease of a target away. Its holder writes nothing any more, and the target is fenced by the next one.
   *
   * @throws DmsError NOT_FOUND where nobody holds it; LEDGER_UNAVAILABLE
   */
  async release(key: TargetKey): Promise<LockListDto> {
    await this.ledger.transaction(key, async (transaction) => {
      const { leaseToken } = transaction.row;
      if (leaseToken === null)
        throw new DmsError('NOT_FOUND', `Nobody holds the lock of target "${key.targetId}" on "${key.host}"`);
      await transaction.release(leaseToken);
    });
    this.#log.warn({ msg: 'An operator released a lock', ...key });
    return this.list();
  }
}

function lockOf(row: LockRow): LockDto {
  return {
    host: row.host,
    backup_target_id: row.targetId,
    owner: row.owner,
    expires_at: isoTime(row.expiresAt) ?? '',
    expired: Boolean(row.expired),
    waiting: Number(row.waiting),
    waiting_since: isoTime(row.waitingSince),
  };
}
