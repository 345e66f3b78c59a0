import {
  type JobDto,
  type OperationAction,
  type OperationStatus,
  type Secret,
  type TargetRequestDto,
} from '../../contracts/src/plain';

/**
 * What mounts or unmounts a target: the body of the HTTP API. What it says of `action` does not count: the method that
 * is called says it.
 */
export type TargetRequest = Omit<TargetRequestDto, 'keystone_token' | 'job'> & {
  /** With which the node reads the secret of an s3 target; else the client's `keystoneToken`. */
  keystone_token?: string | Secret | null;
  /** Only `jobid` has a meaning; further fields are carried. */
  job: JobDto & Readonly<Record<string, unknown>>;
};

/** Bounds of one call. */
export interface CallOptions {
  /** Ends the call, which then rejects with the signal's reason; what became of a request that was sent is unknown. */
  readonly signal?: AbortSignal;
  /** Milliseconds for the call, its repetitions included. */
  readonly timeoutMs?: number;
}

export interface TargetCallOptions extends CallOptions {
  /** Two calls with one key are one request; by default each call has a key of its own. */
  readonly idempotencyKey?: string;
  /** How often it is repeated after a failure that may pass; else the client's `retries`. */
  readonly retries?: number;
}

/** One job's hold. `host` may be left out where the job holds the target on one host only. */
export interface BindingName {
  readonly jobid: number;
  readonly backup_target_id: string;
  readonly host?: string;
}

export interface BindingFilter {
  readonly host?: string;
  readonly backup_target_id?: string;
  readonly jobid?: number;
  /** True: what is held; false: what is not. */
  readonly mounted?: boolean;
}

export interface OperationFilter {
  readonly status?: OperationStatus;
  readonly action?: OperationAction;
  readonly host?: string;
  readonly backup_target_id?: string;
  readonly jobid?: number;
  /** Created then or later. */
  readonly since?: Date | string;
  /** Created before. */
  readonly until?: Date | string;
}

export interface EventFilter {
  readonly host?: string;
  readonly backup_target_id?: string;
  readonly jobid?: number;
}
