import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ledgerError } from './ledger-errors';
import { type TargetKey } from './target-key';

/** Looks at single bindings without a lock. */
@Injectable()
export class HeldBindingsRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** @throws DmsError LEDGER_UNAVAILABLE */
  async isHeld({ host, targetId }: TargetKey, jobid: number): Promise<boolean> {
    try {
      const rows = await this.dataSource.query<unknown[]>(
        `SELECT id FROM backup_target_mount_ledger
         WHERE host = ? AND backup_target_id = ? AND jobid = ? AND mounted AND NOT COALESCE(deleted, FALSE)`,
        [host, targetId, jobid],
      );
      return rows.length > 0;
    } catch (error) {
      throw ledgerError(error);
    }
  }
}
