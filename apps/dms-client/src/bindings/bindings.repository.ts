import { Injectable } from '@nestjs/common';
import { type BindingDto, type BindingState, type MountState, type TargetType } from '@app/contracts';
import { DataSource } from 'typeorm';
import { stateExpression } from '../ledger/binding-statements';
import { Conditions, isoTime, queryLedger } from '../queries/query-ledger';

/** Which bindings; what is undefined does not restrict. Deleted ones are never found. */
export interface BindingFilter {
  readonly host?: string;
  readonly backup_target_id?: string;
  readonly jobid?: number;
  readonly mounted?: boolean;
  readonly project_id?: string;
  /** Only ids above this. */
  readonly afterId?: number;
}

/** A binding with what the ledger knows of its mount. */
export interface BindingView {
  readonly binding: BindingDto;
  readonly type: TargetType | null;
  readonly source: string | null;
  readonly incarnation: string | null;
  readonly mntId: number | null;
}

interface Row {
  readonly id: string;
  readonly jobid: string;
  readonly backup_target_id: string;
  readonly host: string;
  readonly state: BindingState;
  readonly mount_path: string | null;
  readonly mount_state: MountState | null;
  readonly project_id: string | null;
  readonly hold_id: string | null;
  readonly operation_id: string | null;
  readonly lease_expires_at: Date | null;
  readonly created_at: Date | null;
  readonly updated_at: Date | null;
  readonly type: TargetType | null;
  readonly source: string | null;
  readonly incarnation: string | null;
  readonly mnt_id: string | null;
}

/** The bindings, joined with the mounts that they hold. */
@Injectable()
export class BindingsRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** In the order of their ids. */
  async find(filter: BindingFilter, limit: number): Promise<BindingView[]> {
    const where = new Conditions()
      .add('NOT COALESCE(b.deleted, FALSE)')
      .addIf('b.host = ?', filter.host)
      .addIf('b.backup_target_id = ?', filter.backup_target_id)
      .addIf('b.jobid = ?', filter.jobid)
      .addIf('(COALESCE(b.mounted, 0) <> 0) = ?', filter.mounted)
      .addIf('b.project_id = ?', filter.project_id)
      .addIf('b.id > ?', filter.afterId);
    const rows = await queryLedger<Row>(
      this.dataSource,
      `SELECT b.id, b.jobid, b.backup_target_id, b.host, ${stateExpression('b.')} AS state,
         t.mount_path, t.state AS mount_state, b.project_id, b.hold_id, b.operation_id, b.lease_expires_at,
         b.created_at, b.updated_at, t.type, t.source, t.incarnation, t.mnt_id
       FROM backup_target_mount_ledger b LEFT JOIN target_mounts t
         ON t.host = b.host AND t.backup_target_id = b.backup_target_id
       WHERE ${String(where)} ORDER BY b.id LIMIT ?`,
      [...where.parameters, limit],
    );
    return rows.map(viewOf);
  }
}

function viewOf(row: Row): BindingView {
  // What only a Python program wrote about is not known here.
  const mountState = row.mount_state ?? (row.state === 'held' ? 'UNCERTAIN' : 'ABSENT');
  return {
    binding: {
      id: Number(row.id),
      jobid: Number(row.jobid),
      backup_target_id: row.backup_target_id,
      host: row.host,
      state: row.state,
      mounted: row.state === 'held',
      deleted: false,
      mount_path: mountState === 'ABSENT' ? null : row.mount_path,
      mount_state: mountState,
      project_id: row.project_id,
      hold_id: row.hold_id,
      operation_id: row.operation_id,
      lease_expires_at: isoTime(row.lease_expires_at),
      created_at: isoTime(row.created_at),
      updated_at: isoTime(row.updated_at),
    },
    type: row.type,
    source: row.source,
    incarnation: row.incarnation,
    mntId: row.mnt_id === null ? null : Number(row.mnt_id),
  };
}
