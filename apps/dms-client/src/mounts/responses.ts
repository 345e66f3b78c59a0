import {
  type DmsError,
  type ErrorCode,
  type MountResponseDto,
  type UnmountResponseDto,
} from '@app/contracts';
import { type OperationEnd } from '../ledger/operation-statements';
import { type TargetRow } from '../ledger/target-transaction';
import { releasedText } from './released';
import { type WaitingRequest } from './waiting-request';

/** The error text of a mount that was not granted because its job had asked for the unmount meanwhile. */
export const WITHDRAWN = 'The job asked for the unmount before it was mounted';

const TYPE_NAMES = { s3: 'S3', nfs: 'NFS' } as const;

/** A mount that is granted, from the row that stands MOUNTED. */
export function mountResponse(waiting: WaitingRequest, row: TargetRow, reused: boolean): MountResponseDto {
  const path = row.mountPath ?? waiting.mountPath ?? '';
  const type = TYPE_NAMES[row.type ?? waiting.request.backup_target.type];
  return {
    status: 'success',
    error_msg: null,
    success_msg: reused ? `Already mounted at ${path}` : `${type} target mounted successfully at ${path}`,
    mount_path: path,
    physically_mounted: true,
    reused_existing: reused,
    operation_id: waiting.operationId,
    epoch: row.epoch,
    device: row.device,
    mnt_id: row.mntId,
    hold_id: waiting.request.hold_id ?? null,
  };
}

/** What an unmount came to, beside that the job holds the target no more. */
export interface UnmountResult {
  /** This request had the mount taken away. */
  readonly unmounted: boolean;
  /** Claimed and held bindings of others. */
  readonly remaining: number;
  /** Why the mount still stands although nobody holds it, or is gone, but not cleanly. */
  readonly problem: { readonly code: ErrorCode; readonly message: string } | null;
}

/** The mount is gone, and what was written last may be gone with it. @param why the node's reason; null: it gave none */
export function notFlushed(why: string | null): NonNullable<UnmountResult['problem']> {
  return { code: 'UNMOUNTED_DIRTY', message: why ?? 'the daemon is not known to have flushed cleanly' };
}

/** The reason in the text of an answer that told one; null: there is none. */
export function reasonIn(message: string | null): string | null {
  return /(?:, but|go cleanly): (.*)$/s.exec(message ?? '')?.[1] ?? null;
}

/** How the last unmount of a target went that is gone, if not cleanly: until it is mounted anew, whoever asks is told. */
export function endedBadly({ state, errorCode, errorMessage }: TargetRow): UnmountResult['problem'] {
  return state === 'ABSENT' && errorCode === 'UNMOUNTED_DIRTY' ? notFlushed(errorMessage ?? null) : null;
}

export function unmountResponse(
  waiting: WaitingRequest,
  row: TargetRow,
  result: UnmountResult,
): UnmountResponseDto {
  return {
    status: 'success',
    error_msg: null,
    success_msg: unmountMessage(waiting, row, result),
    mount_path: row.mountPath,
    unmounted: result.unmounted,
    physically_mounted: row.state !== 'ABSENT',
    active_mounts_remaining: result.remaining,
    operation_id: waiting.operationId,
    epoch: row.epoch,
    error_code: result.problem?.code ?? null,
  };
}

function unmountMessage(
  waiting: WaitingRequest,
  row: TargetRow,
  { unmounted, remaining, problem }: UnmountResult,
): string {
  const path = row.mountPath ?? waiting.mountPath ?? `its path on ${waiting.request.host}`;
  if (problem !== null && row.state === 'ABSENT')
    return `Target unmounted from ${path}, but: ${problem.message}`;
  if (problem !== null && remaining === 0)
    return `${releasedText(waiting)}; the mount at ${path} still stands and is being taken away: ${problem.message}`;
  if (problem !== null)
    return `${releasedText(waiting)}; ${remaining} other job(s) use the mount at ${path}, but: ${problem.message}`;
  if (unmounted) return `Target unmounted successfully from ${path}`;
  if (remaining === 0) return `Target not mounted at ${path}`;
  if (waiting.released === 'one of several')
    return `${releasedText(waiting)}; the job has other holds of the mount at ${path}`;
  // A job whose hold was not found may hold the target under another name.
  const others = waiting.request.hold_id && waiting.released === 'nothing' ? 'job(s)' : 'other job(s)';
  return `${releasedText(waiting)}; ${remaining} ${others} still use the mount at ${path}`;
}

/** The end of the operation of a request that was granted. */
export function successEnd(response: MountResponseDto | UnmountResponseDto): OperationEnd {
  return {
    id: response.operation_id,
    status: 'success',
    errorCode: 'error_code' in response ? response.error_code : null,
    errorMessage: null,
    successMessage: response.success_msg,
    mountPath: response.mount_path,
    epoch: response.epoch,
    responseData: response,
  };
}

/** The end of the operation of a request that failed. */
export function errorEnd(waiting: WaitingRequest, error: DmsError, epoch: number | null): OperationEnd {
  return {
    id: waiting.operationId,
    status: 'error',
    errorCode: error.code,
    errorMessage: error.message,
    successMessage: null,
    mountPath: null,
    epoch,
    responseData: null,
  };
}
