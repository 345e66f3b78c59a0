import { Injectable } from '@nestjs/common';
import {
  type ErrorCode,
  type OperationAction,
  type OperationDto,
  type OperationStatus,
} from '@app/contracts';
import { DataSource } from 'typeorm';
import { Conditions, isoTime, numberOrNull, queryLedger } from '../queries/query-ledger';
import { type OperationCursor } from './operation-cursor';

/** Which operations; what is undefined does not restrict. */
export interface OperationFilter {
  readonly id?: string;
  readonly status?: OperationStatus;
  readonly action?: OperationAction;
  readonly host?: string;
  readonly backup_target_id?: string;
  readonly jobid?: number;
  readonly project_id?: string;
  /** Created at this time or later. */
  readonly since?: Date;
  /** Created before this time. */
  readonly until?: Date;
  /** Only what is older. */
  readonly before?: OperationCursor;
}

export interface OperationRecord {
  readonly operation: OperationDto;
  readonly cursor: OperationCursor;
}

interface Row {
  readonly id: string;
  readonly action: OperationAction;
  readonly status: OperationStatus;
  readonly error_code: ErrorCode | null;
  readonly jobid: string | null;
  readonly backup_target_id: string;
  readonly host: string;
  readonly epoch: string | null;
  readonly mount_path: string | null;
  readonly error_msg: string | null;
  readonly success_msg: string | null;
  readonly request_id: string | null;
  readonly request_data: string | null;
  readonly response_data: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly completed_at: Date | null;
  readonly created_text: string;
}

/** The records of all requests. */
@Injectable()
export class OperationsRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** Newest first. */
  async find(filter: OperationFilter, limit: number): Promise<OperationRecord[]> {
    const where = new Conditions()
      .addIf('id = ?', filter.id)
      .addIf('status = ?', filter.status)
      .addIf('action = ?', filter.action)
      .addIf('host = ?', filter.host)
      .addIf('backup_target_id = ?', filter.backup_target_id)
      .addIf('jobid = ?', filter.jobid)
      .addIf('project_id = ?', filter.project_id)
      .addIf('created_at >= ?', filter.since)
      .addIf('created_at < ?', filter.until);
    if (filter.before !== undefined) {
      const { createdAt, id } = filter.before;
      where.add('(created_at < ? OR (created_at = ? AND id < ?))', createdAt, createdAt, id);
    }
    const rows = await queryLedger<Row>(
      this.dataSource,
      `SELECT id, action, status, error_code, jobid, backup_target_id, host, epoch, mount_path, error_msg,
         success_msg, request_id, request_data, response_data, created_at, updated_at, completed_at,
         DATE_FORMAT(created_at, '%Y-%m-%d %H:%i:%s.%f') AS created_text
       FROM mount_operations WHERE ${String(where)} ORDER BY created_at DESC, id DESC LIMIT ?`,
      [...where.parameters, limit],
    );
    return rows.map((row) => ({
      operation: operationOf(row),
      cursor: { createdAt: row.created_text, id: row.id },
    }));
  }
}

function operationOf({ created_text: _, ...row }: Row): OperationDto {
  return {
    ...row,
    jobid: numberOrNull(row.jobid),
    epoch: numberOrNull(row.epoch),
    request_data: fromJson(row.request_data),
    response_data: fromJson(row.response_data),
    created_at: isoTime(row.created_at),
    updated_at: isoTime(row.updated_at),
    completed_at: isoTime(row.completed_at),
  };
}

function fromJson(text: string | null): Record<string, unknown> | null {
  return text === null ? null : (JSON.parse(text) as Record<string, unknown>);
}
