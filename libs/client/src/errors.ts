import { DmsError, type DmsErrorOptions, type ErrorCode } from '../../contracts/src/plain';

export interface ServiceErrorOptions extends DmsErrorOptions {
  /** Seconds after which the service wants to be asked again. */
  readonly retryAfterS?: number;
}

/** Every error of this package. `code`, `httpStatus`, `operationId`, `details` and `remedy` say more. */
export abstract class ServiceError extends DmsError {
  readonly retryAfterS?: number;

  constructor(code: ErrorCode, message: string, options: ServiceErrorOptions = {}) {
    super(code, message, options);
    this.name = new.target.name;
    this.retryAfterS = options.retryAfterS;
  }
}

/** A field of the request is wrong; `details.fields` names each. */
export class RequestValidationError extends ServiceError {}
/** No answer in time. With the code TIMEOUT the outcome is unknown, and asking again is safe. */
export class RequestTimeoutError extends ServiceError {}
/** The service cannot reach its database. */
export class LedgerUnavailableError extends ServiceError {}
/** The service cannot reach its message broker. */
export class BrokerUnavailableError extends ServiceError {}
/** Who asks is not known, or cannot be found out at the moment. */
export class AuthenticationError extends ServiceError {}
/** Who asks may not do this. */
export class ForbiddenError extends ServiceError {}
export class NotFoundError extends ServiceError {}
export class ConflictError extends ServiceError {}
/** Somebody uses the mount. */
export class BusyError extends ServiceError {}
export class RateLimitedError extends ServiceError {}
/** The node could not mount the target, and nothing is mounted. */
export class MountFailedError extends ServiceError {}
export class UnmountFailedError extends ServiceError {}
/** The target's credentials could not be read. */
export class SecretUnavailableError extends ServiceError {}
/** No dms-server listens for the host, or it does not answer. */
export class NodeUnreachableError extends ServiceError {}
/** The service itself cannot be connected to: nothing was asked for. */
export class ServiceUnreachableError extends ServiceError {}
/** Unmounted, but what was written last may not have reached the target. */
export class UnmountedDirtyError extends ServiceError {}
/** A defect of the service, or what answers is no dms-client ({@link WrongServiceError}). */
export class InternalError extends ServiceError {}
/** What answers at the address is no dms-client, or its certificate is not trusted. */
export class WrongServiceError extends InternalError {}
/** The mount broke, or the hold ended, while it was used (code CONFLICT); `cause` is what failed by that. */
export class MountLostError extends ConflictError {}
/** The target is not mounted where this process looks (code MOUNT_FAILED): a writer would write beside it. */
export class NotMountedError extends MountFailedError {}

const CLASSES: Readonly<
  Record<ErrorCode, new (code: ErrorCode, message: string, options?: ServiceErrorOptions) => ServiceError>
> = {
  VALIDATION_FAILED: RequestValidationError,
  TOO_LARGE: RequestValidationError,
  TIMEOUT: RequestTimeoutError,
  LOCK_TIMEOUT: RequestTimeoutError,
  LEDGER_UNAVAILABLE: LedgerUnavailableError,
  BROKER_UNAVAILABLE: BrokerUnavailableError,
  UNAUTHENTICATED: AuthenticationError,
  AUTH_EXPIRED: AuthenticationError,
  AUTH_UNAVAILABLE: AuthenticationError,
  FORBIDDEN: ForbiddenError,
  NOT_FOUND: NotFoundError,
  CONFLICT: ConflictError,
  BUSY: BusyError,
  RATE_LIMITED: RateLimitedError,
  OVERLOADED: RateLimitedError,
  MOUNT_FAILED: MountFailedError,
  UNMOUNT_FAILED: UnmountFailedError,
  SECRET_UNAVAILABLE: SecretUnavailableError,
  NODE_FULL: NodeUnreachableError,
  NODE_UNREACHABLE: NodeUnreachableError,
  CLIENT_UNREACHABLE: ServiceUnreachableError,
  UNMOUNTED_DIRTY: UnmountedDirtyError,
  INTERNAL: InternalError,
  WRONG_SERVICE: WrongServiceError,
  STALE_EPOCH: InternalError,
};

/** The error of a code. */
export function errorOf(code: ErrorCode, message: string, options?: ServiceErrorOptions): ServiceError {
  return new CLASSES[code](code, message, options);
}
