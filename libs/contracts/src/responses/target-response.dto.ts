import { type ErrorCode } from '../errors/error-codes';

/** What every answer begins with: the three keys of the Python system. */
export class OutcomeDto {
  status: 'success' | 'error';
  error_msg: string | null;
  success_msg: string | null;
}

/** A mount that was granted: until the job asks for its unmount, the target is mounted at `mount_path`. */
export class MountResponseDto extends OutcomeDto {
  declare status: 'success';
  mount_path: string;
  physically_mounted: boolean;
  /** True if the mount stood already and the job joined it. */
  reused_existing: boolean;
  operation_id: string;
  epoch: number;
  /** `major:minor` of the mounted device, for a writer that wants to be sure where it writes. */
  device: string | null;
  mnt_id: number | null;
  hold_id: string | null;
}

/** An unmount that was granted: the job holds the target no more. */
export class UnmountResponseDto extends OutcomeDto {
  declare status: 'success';
  mount_path: string | null;
  /** True if this request took the mount away. */
  unmounted: boolean;
  /** True where the mount still stands: others hold it, or it is busy and the service goes on trying. */
  physically_mounted: boolean;
  active_mounts_remaining: number;
  operation_id: string;
  epoch: number | null;
  /** `BUSY`, `UNMOUNT_FAILED`, `UNMOUNTED_DIRTY`, … where the mount is not cleanly gone. */
  error_code: ErrorCode | null;
}

/** The body of every error. */
export class ErrorDto extends OutcomeDto {
  declare status: 'error';
  error_code: ErrorCode;
  details?: Record<string, unknown>;
  operation_id?: string;
}
