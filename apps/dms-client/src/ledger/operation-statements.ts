import { type BindingState, type ErrorCode, type OperationAction } from '@app/contracts';
import { type QueryRunner } from 'typeorm';
import { stateExpression } from './binding-statements';
import { type ChangeList } from './changes';
import { type LedgerClock } from './ledger-clock';
import { type ObservedChanges } from './observed-changes';
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
  /** Its place in the order in which the target's requests came in; left out: no job has asked for it. */
  readonly arrival?: number;
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

/** A request of a job. */
export interface NewerOperation {
  readonly jobid: number;
  readonly action: OperationAction;
  /** The hold that it named; null: all holds of the job. */
  readonly holdId: string | null;
  /** Its place in the order in which the target's requests came in. */
  readonly arrival: number;
}

/** How the last request of a job went that succeeded. */
export interface LastSuccess {
  readonly action: OperationAction;
  readonly errorCode: ErrorCode | null;
  /** The whole sentence of the answer. */
  readonly message: string | null;
  /** Its place in the order in which the target's requests came in. */
  readonly arrival: number;
}

/** Operations of a target that are looked at together. */
const LOOKED_AT = 500;

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
    private readonly observed: ObservedChanges,
  ) {}

  /** Records requests as executing. */
  async begin(operations: readonly NewOperation[]): Promise<void> {
    if (operations.length === 0) return;
    await this.runner.query(
      `INSERT INTO mount_operations
         (id, action, status, host, backup_target_id, jobid, project_id, request_id, mount_path, request_data,
          arrival, created_at) VALUES ${operations.map(() => `(${'?, '.repeat(11)}${CAME_IN})`).join(', ')}`,
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
          arrival, error_code, error_msg, success_msg, epoch, response_data, created_at, completed_at) VALUES ${operations
            .map(() => `(${'?, '.repeat(16)}${CAME_IN}, NOW(6))`)
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

  /** What the given jobs have asked of the target that came in after `arrival`. */
  async ofJobsAfter(jobids: readonly number[], arrival: number): Promise<NewerOperation[]> {
    const rows = (await this.runner.query(
      `SELECT jobid, action, arrival, JSON_VALUE(request_data, '$.hold_id') AS holdId FROM mount_operations
       WHERE host = ? AND backup_target_id = ? AND arrival > ? AND jobid IN (?)`,
      [this.key.host, this.key.targetId, arrival, jobids],
    )) as (Omit<NewerOperation, 'jobid' | 'arrival'> & { jobid: unknown; arrival: unknown })[];
    return rows.map((row) => ({ ...row, jobid: Number(row.jobid), arrival: Number(row.arrival) }));
  }

  /** The last request of each job that succeeded, by job; jobs are left out of which none is known. */
  async lastSuccesses(jobids: readonly number[]): Promise<Map<number, LastSuccess>> {
    if (jobids.length === 0) return new Map();
    const rows = (await this.runner.query(
      `SELECT jobid, action, error_code AS errorCode, success_msg AS message, arrival FROM mount_operations
       WHERE host = ? AND backup_target_id = ? AND jobid IN (?) AND status = 'success' AND arrival IS NOT NULL
       ORDER BY arrival DESC LIMIT ${LOOKED_AT}`,
      [this.key.host, this.key.targetId, jobids],
    )) as (LastSuccess & { jobid: unknown })[];
    const byArrival = rows.map((row) => ({ ...row, jobid: Number(row.jobid), arrival: Number(row.arrival) }));
    return new Map(byArrival.reverse().map(({ jobid, ...success }) => [jobid, success]));
  }

  /** The place of the last request that had the target mounted, rather than share a mount that stood; null: none is known. */
  async lastMountMade(): Promise<number | null> {
    const [row] = (await this.runner.query(
      `SELECT arrival FROM mount_operations
       WHERE host = ? AND backup_target_id = ? AND action = 'mount' AND status = 'success' AND arrival IS NOT NULL
         AND JSON_VALUE(response_data, '$.reused_existing') IN ('false', '0')
       ORDER BY arrival DESC LIMIT 1`,
      [this.key.host, this.key.targetId],
    )) as ({ arrival: unknown } | undefined)[];
    return row === undefined ? null : Number(row.arrival);
  }

  /** Executing operations that no process has renewed for `silentMs`, as far as this process has observed. */
  async abandoned(silentMs: number): Promise<AbandonedOperation[]> {
    const rows = (await this.runner.query(
      `SELECT o.id, o.action, o.jobid, o.request_id AS requestId, CAST(o.renewed_at AS CHAR) AS renewedAt,
         IF(b.id IS NULL, NULL, ${stateExpression('b.')}) AS bindingState
       FROM mount_operations o LEFT JOIN backup_target_mount_ledger b
         ON b.host = o.host AND b.backup_target_id = o.backup_target_id AND b.operation_id = o.id
       WHERE o.host = ? AND o.backup_target_id = ? AND o.status IN ('pending', 'executing') LIMIT ${LOOKED_AT}`,
      [this.key.host, this.key.targetId],
    )) as (AbandonedOperation & { renewedAt: string })[];
    return rows.filter((row) => isAbandoned(row, silentMs, this.observed));
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
      o.arrival ?? null,
    ];
  }
}

/** True if no process has renewed the operation for `silentMs`, as far as this one has observed. */
export function isAbandoned(
  { id, renewedAt }: { readonly id: string; readonly renewedAt: string },
  silentMs: number,
  observed: ObservedChanges,
): boolean {
  return observed.isStale(`operation ${id}`, renewedAt, silentMs);
}

function json(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}
