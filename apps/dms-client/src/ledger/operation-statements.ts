import { type BindingState, type ErrorCode, type OperationAction } from '@app/contracts';
import { type QueryRunner } from 'typeorm';
import { stateExpression } from './binding-statements';
import { type ChangeList } from './changes';
import { type LedgerClock } from './ledger-clock';
import { type TargetKey } from './target-key';

export interface NewOperation {
  readonly id: string;
  readonly action: OperationAction;
  readonly jobid: number | null;
  readonly projectId: string | null;
  /** Under which it is found in the logs; null: nobody asked for it by HTTP. */
  readonly requestId: string | null;
  readonly mountPath: string | null;
  /** The request without its secrets. */
  readonly requestData: object | null;
  /** When the request came in, by performance.now(): it counts as created then. Left out: now. */
  readonly arrivedAt?: number;
}

/** What an operation is about. */
export interface OperationSubject {
  readonly action: OperationAction;
  readonly jobid: number | null;
  readonly requestId: string | null;
}

export interface OperationEnd {
  readonly id: string;
  readonly status: 'success' | 'error';
  readonly errorCode: ErrorCode | null;
  readonly errorMessage: string | null;
  readonly successMessage: string | null;
  readonly mountPath: string | null;
  readonly epoch: number | null;
  readonly responseData: object | null;
}

/** A request that a job made of late. */
export interface RecentOperation {
  readonly jobid: number;
  readonly action: OperationAction;
  /** The hold that it named; null: all holds of the job. */
  readonly holdId: string | null;
  /** How long ago it came in, as {@link LedgerClock.microsecondsSince} has it; negative for what came after that. */
  readonly ageMicroseconds: number;
}

const CAME_IN = 'CAST(? AS DATETIME(6)) - INTERVAL ? MICROSECOND';

/** An operation whose process is gone, with the state of the binding that is (still) its own; null: none is. */
export interface AbandonedOperation {
  readonly id: string;
  readonly action: OperationAction;
  readonly jobid: number | null;
  readonly requestId: string | null;
  readonly bindingState: BindingState | null;
}

/** The statements on the operations of one target, in the transaction that decides about it. */
export class OperationStatements {
  constructor(
    private readonly runner: QueryRunner,
    private readonly key: TargetKey,
    private readonly clock: LedgerClock,
    private readonly changes: ChangeList,
  ) {}

  /** Records requests as executing. */
  async begin(operations: readonly NewOperation[]): Promise<void> {
    if (operations.length === 0) return;
    await this.runner.query(
      `INSERT INTO mount_operations
         (id, action, status, host, backup_target_id, jobid, project_id, request_id, mount_path, request_data, created_at) VALUES ${operations
           .map(() => `(${'?, '.repeat(10)}${CAME_IN})`)
           .join(', ')}`,
      operations.flatMap((o) => [...this.#opening(o, 'executing'), ...this.#cameIn(o)]),
    );
    for (const { id, action, jobid, requestId } of operations) {
      const brief = { id, action, status: 'executing', error_code: null, request_id: requestId } as const;
      this.changes.operation(brief, jobid);
    }
  }

  /** Records requests that end in the transaction in which they began, by one statement. */
  async record(operations: readonly { opening: NewOperation; end: OperationEnd }[]): Promise<void> {
    if (operations.length === 0) return;
    await this.runner.query(
      `INSERT INTO mount_operations
         (id, action, status, host, backup_target_id, jobid, project_id, request_id, mount_path, request_data,
          error_code, error_msg, success_msg, epoch, response_data, created_at, completed_at) VALUES ${operations
            .map(() => `(${'?, '.repeat(15)}${CAME_IN}, NOW(6))`)
            .join(', ')}`,
      operations.flatMap(({ opening, end }) => [
        ...this.#opening({ ...opening, mountPath: end.mountPath ?? opening.mountPath }, end.status),
        end.errorCode,
        end.errorMessage,
        end.successMessage,
        end.epoch,
        json(end.responseData),
        ...this.#cameIn(opening),
      ]),
    );
    for (const { opening, end } of operations) this.#ended(end, opening);
  }

  /** Ends an operation, once: what has ended stays as it is. */
  async end(end: OperationEnd, of: OperationSubject): Promise<void> {
    const { affectedRows } = (await this.runner.query(
      `UPDATE mount_operations SET status = ?, error_code = ?, error_msg = ?, success_msg = ?, epoch = ?,
         mount_path = COALESCE(?, mount_path), response_data = ?, completed_at = NOW(6)
       WHERE id = ? AND status IN ('pending', 'executing')`,
      [
        end.status,
        end.errorCode,
        end.errorMessage,
        end.successMessage,
        end.epoch,
        end.mountPath,
        json(end.responseData),
        end.id,
      ],
    )) as { affectedRows: number };
    if (affectedRows > 0) this.#ended(end, of);
  }

  /** What the given jobs have asked of the target since `since`, by performance.now(). */
  async ofJobsSince(jobids: readonly number[], since: number): Promise<RecentOperation[]> {
    const { now } = this.clock;
    const rows = (await this.runner.query(
      `SELECT jobid, action, JSON_VALUE(request_data, '$.hold_id') AS holdId,
         TIMESTAMPDIFF(MICROSECOND, created_at, CAST(? AS DATETIME(6))) AS age
       FROM mount_operations
       WHERE jobid IN (?) AND created_at > ${CAME_IN} AND host = ? AND backup_target_id = ?`,
      [now, jobids, now, this.clock.microsecondsSince(since), this.key.host, this.key.targetId],
    )) as { jobid: unknown; action: OperationAction; holdId: string | null; age: unknown }[];
    return rows.map(({ jobid, action, holdId, age }) => ({
      jobid: Number(jobid),
      action,
      holdId,
      ageMicroseconds: Number(age),
    }));
  }

  /** Executing operations that no process has renewed for `silentMs`, by the database's clock. */
  async abandoned(silentMs: number): Promise<AbandonedOperation[]> {
    return (await this.runner.query(
      `SELECT o.id, o.action, o.jobid, o.request_id AS requestId, IF(b.id IS NULL, NULL, ${stateExpression('b.')}) AS bindingState
       FROM mount_operations o LEFT JOIN backup_target_mount_ledger b
         ON b.host = o.host AND b.backup_target_id = o.backup_target_id AND b.operation_id = o.id
       WHERE o.host = ? AND o.backup_target_id = ? AND o.status IN ('pending', 'executing')
         AND o.renewed_at < NOW(6) - INTERVAL ? MICROSECOND`,
      [this.key.host, this.key.targetId, silentMs * 1000],
    )) as AbandonedOperation[];
  }

  #ended({ id, status, errorCode }: OperationEnd, { action, jobid, requestId }: OperationSubject): void {
    const brief = { id, action, status, error_code: errorCode, request_id: requestId };
    this.changes.operation(brief, jobid);
  }

  #cameIn({ arrivedAt }: NewOperation): [string, number] {
    const { now } = this.clock;
    return [now, arrivedAt === undefined ? 0 : this.clock.microsecondsSince(arrivedAt)];
  }

  #opening(o: NewOperation, status: string): unknown[] {
    return [
      o.id,
      o.action,
      status,
      this.key.host,
      this.key.targetId,
      o.jobid,
      o.projectId,
      o.requestId,
      o.mountPath,
      json(o.requestData),
    ];
  }
}

function json(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}
