import { type BindingState, DmsError } from '@app/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { stateExpression } from '../ledger/binding-statements';
import { WITHDRAWN } from './responses';
import { isDuplicate } from '../ledger/ledger-errors';
import { ObservedChanges } from '../ledger/observed-changes';
import { queryLedger, writeLedger } from '../queries/query-ledger';

/** What became of the operation that a key stands for. */
export interface KeyedOperation {
  readonly operationId: string;
  readonly requestHash: Buffer;
  /** Milliseconds since the operation stands for the key, as far as this process has observed. */
  readonly unchangedMs: number;
  /** Null where the operation is not written yet, or never was: its process died before. */
  readonly status: 'pending' | 'executing' | 'success' | 'error' | null;
  /** It was refused because its job asked for the unmount of the target before the operation had ended. */
  readonly withdrawn: boolean;
  /** JSON. */
  readonly responseData: string | null;
  /** State of the binding that is still the operation's own; null: none is. */
  readonly bindingState: BindingState | null;
}

type KeyedRow = Omit<KeyedOperation, 'unchangedMs' | 'withdrawn'> & { readonly withdrawn: unknown };

/** The table of idempotency keys. */
@Injectable()
export class IdempotencyRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly observed: ObservedChanges,
  ) {}

  /** @returns false where the key is known already */
  async insert(key: string, requestHash: Buffer, operationId: string): Promise<boolean> {
    try {
      await writeLedger(
        this.dataSource,
        'INSERT INTO idempotency_keys (idempotency_key, request_hash, operation_id) VALUES (?, ?, ?)',
        [key, requestHash, operationId],
      );
      return true;
    } catch (error) {
      if (error instanceof DmsError && isDuplicate(error.cause)) return false;
      throw error;
    }
  }

  async find(key: string): Promise<KeyedOperation | null> {
    const [row] = await queryLedger<KeyedRow | undefined>(
      this.dataSource,
      `SELECT k.operation_id AS operationId, k.request_hash AS requestHash, o.status,
         o.response_data AS responseData,
         o.error_code = 'CONFLICT' AND o.error_msg = ? AND EXISTS (SELECT 1 FROM mount_operations u
           WHERE u.host = o.host AND u.backup_target_id = o.backup_target_id AND u.jobid = o.jobid
             AND u.action = 'unmount' AND u.arrival > o.arrival) AS withdrawn,
         IF(b.id IS NULL, NULL, ${stateExpression('b.')}) AS bindingState
       FROM idempotency_keys k LEFT JOIN mount_operations o ON o.id = k.operation_id
         LEFT JOIN backup_target_mount_ledger b ON b.operation_id = o.id AND b.host = o.host
           AND b.backup_target_id = o.backup_target_id AND b.jobid = o.jobid
       WHERE k.idempotency_key = ?`,
      [WITHDRAWN, key],
    );
    if (row === undefined) return null;
    return {
      ...row,
      withdrawn: Number(row.withdrawn) === 1,
      unchangedMs: this.observed.unchangedMs(`key ${key}`, row.operationId),
    };
  }

  /** Lets a new operation stand for the key. @returns false where another process was faster */
  async replace(key: string, former: string, operationId: string): Promise<boolean> {
    const replaced = await writeLedger(
      this.dataSource,
      `UPDATE idempotency_keys SET operation_id = ?, begun = FALSE, created_at = NOW(6)
       WHERE idempotency_key = ? AND operation_id = ?`,
      [operationId, key, former],
    );
    return replaced === 1;
  }

  /** Removes the key as long as it stands for an operation that was never written. */
  async removeUnused(key: string, operationId: string): Promise<void> {
    await writeLedger(
      this.dataSource,
      'DELETE FROM idempotency_keys WHERE idempotency_key = ? AND operation_id = ? AND NOT begun',
      [key, operationId],
    );
  }
}
