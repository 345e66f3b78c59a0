import { type ErrorCode } from '../errors/error-codes';
import {
  OPERATION_ACTIONS,
  OPERATION_STATUSES,
  type OperationAction,
  type OperationStatus,
} from '../responses/ledger.dto';
import { hostProblem, identifierProblem } from '../rules/identifiers';
import { mountPathProblem } from '../rules/mount-path';
import { steers } from '../rules/plain-text';
import { isTime } from './event';

export const STATE_EVENT_KINDS = [
  'mounted',
  'unmounted',
  'broken',
  'doubtful',
  'healed',
  'lost',
  'released',
  'operation_begun',
  'operation_ended',
] as const;

/**
 * - `mounted`, `unmounted`: the physical mount was made, or is gone;
 * - `broken`: it stands, but is dead;
 * - `doubtful`: it gives no answer, or it cannot be said whether it stands; `healed`: it is known again to be good;
 * - `lost`: what these jobs held is not mounted for them any more;
 * - `released`: these jobs gave back what they held, or their leases expired;
 * - `operation_begun`, `operation_ended`: a request is being worked on, or has its result.
 */
export type StateEventKind = (typeof STATE_EVENT_KINDS)[number];

/** Which operation, and how far it is. */
export class OperationBriefDto {
  id: string;
  action: OperationAction;
  status: OperationStatus;
  error_code: ErrorCode | null;
  /** Under which it is found in the logs; null where nobody asked for it by HTTP. */
  request_id: string | null;
}

/** A change that stands in the ledger. It carries no secret, and nothing of a request but ids. */
export class StateEventDto {
  /** UUID of this event. */
  id: string;
  kind: StateEventKind;
  host: string;
  backup_target_id: string;
  /** That of the target's mount after the change. */
  epoch: number;
  mount_path: string | null;
  /** The jobs that it concerns. */
  jobids: number[];
  /** Null where it is not about an operation. */
  operation: OperationBriefDto | null;
  /** ISO 8601, UTC. */
  at: string;
}

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** `value` as an event, or null where it is none. Fields that this version does not know are left out. */
export function asStateEvent(value: unknown): StateEventDto | null {
  if (typeof value !== 'object' || value === null) return null;
  const event = value as Partial<StateEventDto>;
  const { id, kind, host, backup_target_id, epoch, mount_path, jobids, operation, at } = event;
  const fits =
    isName(id) &&
    STATE_EVENT_KINDS.some((known) => known === kind) &&
    hostProblem(host) === null &&
    identifierProblem(backup_target_id) === null &&
    Number.isSafeInteger(epoch) &&
    (mount_path === null || mountPathProblem(mount_path) === null) &&
    Array.isArray(jobids) &&
    jobids.every((jobid) => Number.isSafeInteger(jobid)) &&
    (operation === null || isBrief(operation)) &&
    isTime(at);
  if (!fits) return null;
  const brief = operation ? withRequestId(operation) : null;
  return {
    id,
    kind,
    host,
    backup_target_id,
    epoch,
    mount_path,
    jobids,
    operation: brief,
    at,
  } as StateEventDto;
}

/** Versions before it do not say it. */
function withRequestId({ id, action, status, error_code, request_id }: OperationBriefDto): OperationBriefDto {
  const isKnown = typeof request_id === 'string' && !steers(request_id);
  return { id, action, status, error_code, request_id: isKnown ? request_id : null };
}

function isBrief(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { id, action, status, error_code } = value as Partial<OperationBriefDto>;
  return (
    isName(id) &&
    OPERATION_ACTIONS.some((known) => known === action) &&
    OPERATION_STATUSES.some((known) => known === status) &&
    (error_code === null || isName(error_code))
  );
}

/** True for a UUID, and for a code. */
function isName(value: unknown): boolean {
  return typeof value === 'string' && NAME.test(value);
}
