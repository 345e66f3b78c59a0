import { Injectable } from '@nestjs/common';
import { type BindingState, type StaleEntryDto, type TargetType } from '@app/contracts';
import { DataSource } from 'typeorm';
import { stateExpression } from '../ledger/binding-statements';
import { Conditions, isoTime, queryLedger } from '../queries/query-ledger';

/** A binding that was not changed for long. */
export interface StaleBinding {
  readonly id: number;
  readonly entry: StaleEntryDto;
  readonly type: TargetType | null;
}

interface Row {
  readonly id: string;
  readonly jobid: string;
  readonly backup_target_id: string;
  readonly host: string;
  readonly state: BindingState;
  readonly updated_at: Date | null;
  readonly type: TargetType | null;
}

/** Finds bindings that nobody has touched for long. */
@Injectable()
export class StaleBindingsRepository {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Bindings that were not changed for `ageMs`, by the database's clock, in the order of their ids.
   *
   * @param held also those that are held
   * @param afterId only ids above this
   */
  async find(ageMs: number, held: boolean, afterId: number, limit: number): Promise<StaleBinding[]> {
    const where = new Conditions()
      .add('NOT COALESCE(b.deleted, FALSE)')
      .add('COALESCE(b.updated_at, b.created_at) < NOW(6) - INTERVAL ? MICROSECOND', Math.round(ageMs * 1000))
      .add('b.id > ?', afterId);
    if (!held) where.add('NOT COALESCE(b.mounted, FALSE)');
    const rows = await queryLedger<Row>(
      this.dataSource,
      `SELECT b.id, b.jobid, b.backup_target_id, b.host, ${stateExpression('b.')} AS state,
         COALESCE(b.updated_at, b.created_at) AS updated_at, t.type
       FROM backup_target_mount_ledger b LEFT JOIN target_mounts t
         ON t.host = b.host AND t.backup_target_id = b.backup_target_id
       WHERE ${String(where)} ORDER BY b.id LIMIT ?`,
      [...where.parameters, limit],
    );
    return rows.map(({ id, jobid, backup_target_id, host, state, updated_at, type }) => ({
      id: Number(id),
      entry: { jobid: Number(jobid), backup_target_id, host, state, updated_at: isoTime(updated_at) },
      type,
    }));
  }
}
