import { type ErrorCode } from '../errors/error-codes';
import { type ErrorDto, OutcomeDto, type UnmountResponseDto } from './target-response.dto';

export const BINDING_STATES = ['claimed', 'held', 'lost', 'released'] as const;
/** `claimed` is asked for, `held` answered with success, `lost` broken from outside, `released` given back. */
export type BindingState = (typeof BINDING_STATES)[number];

export const MOUNT_STATES = [
  'ABSENT',
  'MOUNTING',
  'MOUNTED',
  'UNMOUNTING',
  'UNCERTAIN',
  'BROKEN',
  'STUCK',
] as const;
export type MountState = (typeof MOUNT_STATES)[number];

export const OPERATION_STATUSES = ['pending', 'executing', 'success', 'error'] as const;
export type OperationStatus = (typeof OPERATION_STATUSES)[number];

export const OPERATION_ACTIONS = ['mount', 'unmount', 'reconcile'] as const;
export type OperationAction = (typeof OPERATION_ACTIONS)[number];

/** One job's hold on a mount. Times are ISO 8601, UTC. */
export class BindingDto {
  id: number;
  jobid: number;
  backup_target_id: string;
  host: string;
  state: BindingState;
  /** `state` is `held`; the column that the Python system reads. */
  mounted: boolean;
  deleted: boolean;
  mount_path: string | null;
  /** State of the physical mount. */
  mount_state: MountState;
  project_id: string | null;
  hold_id: string | null;
  operation_id: string | null;
  lease_expires_at: string | null;
  created_at: string | null;
  updated_at: string | null;
}

export class BindingListDto {
  bindings: BindingDto[];
  /** Pass it as `cursor` for the next page; null on the last. */
  next_cursor: string | null;
}

/** The record of one request. Times are ISO 8601, UTC. */
export class OperationDto {
  id: string;
  action: OperationAction;
  status: OperationStatus;
  error_code: ErrorCode | null;
  jobid: number | null;
  backup_target_id: string;
  host: string;
  epoch: number | null;
  mount_path: string | null;
  error_msg: string | null;
  success_msg: string | null;
  /** `X-Request-Id`: under it the request is found in the logs. Null where nobody asked for it by HTTP. */
  request_id: string | null;
  /** The request without its secrets. */
  request_data: Record<string, unknown> | null;
  response_data: Record<string, unknown> | null;
  created_at: string;
  updated_at: string;
  completed_at: string | null;
}

export class OperationListDto {
  operations: OperationDto[];
  next_cursor: string | null;
}

export class HistoryDto {
  backup_target_id: string;
  /** Newest first. */
  operations: OperationDto[];
}

export const NODE_STATES = ['up', 'silent', 'draining', 'legacy', 'forgotten'] as const;
/** `up`: heard within six seconds; `legacy`: a Python server, which says no hello. */
export type NodeState = (typeof NODE_STATES)[number];

export class NodeDto {
  host: string;
  state: NodeState;
  incarnation: string | null;
  boot_id: string | null;
  protocol: number | null;
  version: string | null;
  bases: string[];
  /** When it was heard last; by a process that does not hear it itself, half a minute exact. Null: never. */
  last_seen: string | null;
  /** Id of the key with which the node signs; null: it has published none. */
  key_id: string | null;
  /** Another one that was refused since: somebody may pose as the node. `none`: a hello without a key. */
  refused_key_id: string | null;
  /** It has said that it signs its replies: one in its name without its signature is ignored. */
  signs_replies: boolean;
  /** Id of another ledger of which the node has something mounted: until that is gone it refuses our commands. */
  other_ledger: string | null;
  /** The node has lost the queue `dms.<host>`: legacy callers do not reach it, dms-client does. */
  legacy_queue_lost: boolean;
  /** Why the node carries out no command of this dms-client, though it may be `up`; null: nothing is known of that. */
  problem: string | null;
}

export class NodeListDto {
  nodes: NodeDto[];
  /** What concerns all nodes at once, e.g. that all are silent: the cause is hardly in each of them then. Null: nothing. */
  warning: string | null;
}

/** One entry that a cleanup removed, or would remove. */
export class StaleEntryDto {
  jobid: number;
  backup_target_id: string;
  host: string;
  state: BindingState;
  updated_at: string | null;
}

export class CleanupResponseDto extends OutcomeDto {
  declare status: 'success';
  dry_run: boolean;
  /** How many were removed; with `dry_run`, how many would be. */
  cleaned: number;
  /** The first thousand of them. */
  entries: StaleEntryDto[];
}

/** What all unmounts of one job came to. */
export class ReleaseJobResponseDto extends OutcomeDto {
  /** The first failure's; null where all was released. */
  error_code: ErrorCode | null;
  jobid: number;
  released: UnmountResponseDto[];
  failed: ErrorDto[];
}
