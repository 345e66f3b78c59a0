import { type BindingState, type ErrorCode } from '@app/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { stateExpression } from '../ledger/binding-statements';
import { isDuplicate, ledgerError } from '../ledger/ledger-errors';

/** What became of the operation that a key stands for. */
export interface KeyedOperation {
  readonly operationId: string;
  readonly requestHash: Buffer;
  /** Milliseconds since the operation was to stand for the key, by the database's clock. */
  readonly ageMs: number;
  /** Null where the operation is not written yet, or never was: its process died before. */
  readonly status: 'pending' | 'executing' | 'success' | 'error' | null;
  readonly errorCode: ErrorCode | null;
  readonly errorMessage: string | null;
  /** JSON. */
  readonly responseData: string | null;
  /** State of the binding that is still the operation's own; null: none is. */
  readonly bindingState: BindingState | null;
}

/** The table of idempotency keys. */
@Injectable()
export class IdempotencyRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** @returns false where the key is known already */
  async insert(key: string, requestHash: Buffer, operationId: string): Promise<boolean> {
    try {
      await this.dataSource.query(
        'INSERT INTO idempotency_keys (idempotency_key, request_hash, operation_id) VALUES (?, ?, ?)',
        [key, requestHash, operationId],
      );
      return true;
    } catch (error) {
      if (isDuplicate(error)) return false;
      throw ledgerError(error);
    }
  }

  async find(key: string): Promise<KeyedOperation | null> {
    try {
      const rows = await this.dataSource.query<(Omit<KeyedOperation, 'ageMs'> & { age: string })[]>(
        `SELECT k.operation_id AS operationId, k.request_hash AS requestHash,
           TIMESTAMPDIFF(MICROSECOND, k.created_at, NOW(6)) AS age, o.status, o.error_code AS errorCode,
           o.error_msg AS errorMessage, o.response_data AS responseData,
           IF(b.id IS NULL, NULL, ${stateExpression('b.')}) AS bindingState
         FROM idempotency_keys k LEFT JOIN mount_operations o ON o.id = k.operation_id
           LEFT JOIN backup_target_mount_ledger b ON b.operation_id = o.id AND b.host = o.host
             AND b.backup_target_id = o.backup_target_id AND b.jobid = o.jobid
         WHERE k.idempotency_key = ?`,
        [key],
      );
      const row = rows.at(0);
      return row === undefined ? null : { ...row, ageMs: Number(row.age) / 1000 };
    } catch (error) {
      throw ledgerError(error);
    }
  }

  /** Lets a new operation stand for the key. @returns false where another process was faster */
  async replace(key: string, former: string, operationId: string): Promise<boolean> {
    try {
      const { affectedRows } = await this.dataSource.query<{ affectedRows: number }>(
        'UPDATE idempotency_keys SET operation_id = ?, created_at = NOW(6) WHERE idempotency_key = ? AND operation_id = ?',
        [operationId, key, former],
      );
      return affectedRows === 1;
    } catch (error) {
      throw ledgerError(error);
    }
  }

  /** Removes the key as long as it stands for an operation that was never written. */
  async removeUnused(key: string, operationId: string): Promise<void> {
    try {
      await this.dataSource.query(
        `DELETE k FROM idempotency_keys k LEFT JOIN mount_operations o ON o.id = k.operation_id
         WHERE k.idempotency_key = ? AND k.operation_id = ? AND o.id IS NULL`,
        [key, operationId],
      );
    } catch (error) {
      throw ledgerError(error);
    }
  }
}
