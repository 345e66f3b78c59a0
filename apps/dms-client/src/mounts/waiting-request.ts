import {
  type DmsError,
  isReadOnly,
  type MountResponseDto,
  sourceOf,
  type TargetRequestDto,
  type UnmountResponseDto,
} from '@app/contracts';
import { type NewBinding } from '../ledger/binding-statements';
import { type NewOperation, type OperationSubject } from '../ledger/operation-statements';

export type TargetResponse = MountResponseDto | UnmountResponseDto;

/** A request of this process that has not been answered yet. */
export interface WaitingRequest {
  readonly action: 'mount' | 'unmount';
  readonly request: TargetRequestDto;
  readonly operationId: string;
  /** Where the request wants the target; null: it joins the mount wherever that stands, else at the default path. */
  readonly mountPath: string | null;
  /** Aborted when the caller has hung up: then the request is not begun. */
  readonly caller: AbortSignal;
  /** When it came in, by performance.now(). */
  readonly arrivedAt: number;
  /** By performance.now(); after it the caller was answered TIMEOUT and nobody waits any more. */
  readonly deadline: number;
  readonly answered: boolean;
  /** Its claim and operation stand in the ledger now. */
  taken(): void;
  /** @param decidedAt when it was decided, before the commit, by performance.now() */
  answer(response: TargetResponse, decidedAt: number): void;
  fail(error: DmsError): void;
}

export function jobOf({ request }: WaitingRequest): number {
  return request.job.jobid;
}

export function subjectOf(waiting: WaitingRequest): OperationSubject {
  return { action: waiting.action, jobid: jobOf(waiting) };
}

export function sourceOfRequest({ request }: WaitingRequest): string | null {
  return sourceOf(request.backup_target);
}

export function wantsReadOnly({ request }: WaitingRequest): boolean {
  return isReadOnly(request);
}

/** The binding that a mount asks for. */
export function bindingOf(waiting: WaitingRequest): NewBinding {
  return {
    jobid: jobOf(waiting),
    operationId: waiting.operationId,
    projectId: projectOf(waiting.request),
    holdId: waiting.request.hold_id ?? null,
    leaseS: waiting.request.lease_s ?? null,
  };
}

/** The operation row of a request: what was asked, without the secrets. */
export function openingOf(waiting: WaitingRequest): NewOperation {
  const { request } = waiting;
  return {
    id: waiting.operationId,
    action: waiting.action,
    jobid: jobOf(waiting),
    projectId: projectOf(request),
    mountPath: waiting.mountPath,
    requestData: { ...request, action: waiting.action, keystone_token: request.keystone_token ?? null },
  };
}

function projectOf(request: TargetRequestDto): string | null {
  return request.context?.project_id ?? request.context?.tenant_id ?? null;
}
