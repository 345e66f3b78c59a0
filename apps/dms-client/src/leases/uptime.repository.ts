import { Injectable } from '@nestjs/common';
import { DataSource, type QueryRunner } from 'typeorm';
import { ledgerError } from '../ledger/ledger-errors';
import { queryLedger } from '../queries/query-ledger';

/** A longer silence of all dms-clients is time without service. */
const GAP_SECONDS = 6;

interface Uptime {
  readonly wasAway: number;
  readonly awayUs: string | number;
}

/**
 * When the service was up, by the database's clock. Every dms-client that could renew leases says so in one row; leases
 * stand still in the time in which none did.
 */
@Injectable()
export class UptimeRepository {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Says that leases can be renewed now. After a time without service all leases are made longer by it.
   *
   * @returns the microseconds without service that have ended now, else 0
   * @throws DmsError LEDGER_UNAVAILABLE, LOCK_TIMEOUT
   */
  async beat(): Promise<number> {
    try {
      return await this.dataSource.transaction('READ COMMITTED', ({ queryRunner }) => {
        if (queryRunner === undefined) throw new Error('A transaction has no connection');
        return beat(queryRunner);
      });
    } catch (error) {
      throw ledgerError(error);
    }
  }

  /** True if the service has been up without a gap for that long. */
  async isUpFor(ms: number): Promise<boolean> {
    const rows = await queryLedger(
      this.dataSource,
      `SELECT 1 FROM service_uptime WHERE up_since <= NOW(6) - INTERVAL ? MICROSECOND
         AND last_beat > NOW(6) - INTERVAL ? SECOND`,
      [ms * 1000, GAP_SECONDS],
    );
    return rows.length > 0;
  }
}

async function beat(runner: QueryRunner): Promise<number> {
  const [uptime] = (await runner.query(
    `SELECT last_beat < NOW(6) - INTERVAL ? SECOND AS wasAway,
       TIMESTAMPDIFF(MICROSECOND, last_beat, NOW(6)) AS awayUs FROM service_uptime WHERE id = 1 FOR UPDATE`,
    [GAP_SECONDS],
  )) as (Uptime | undefined)[];
  const awayUs = uptime?.wasAway ? Number(uptime.awayUs) : 0;
  if (awayUs > 0) {
    // To touch them is not to decide: nobody is concerned by a lease that ends later. `updated_at` tells of users only.
    await runner.query(
      `UPDATE backup_target_mount_ledger SET updated_at = updated_at,
         lease_expires_at = lease_expires_at + INTERVAL ? MICROSECOND
       WHERE lease_expires_at IS NOT NULL AND mounted`,
      [awayUs],
    );
  }
  await runner.query(
    `INSERT INTO service_uptime (id, up_since, last_beat) VALUES (1, NOW(6), NOW(6))
     ON DUPLICATE KEY UPDATE up_since = IF(?, NOW(6), up_since), last_beat = NOW(6)`,
    [awayUs > 0],
  );
  return awayUs;
}
