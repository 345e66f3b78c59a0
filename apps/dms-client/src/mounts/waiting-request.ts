import {
  type DmsError,
  isReadOnly,
  type MountResponseDto,
  sourceOf,
  type TargetRequestDto,
  type UnmountResponseDto,
} from '@app/contracts';
import { type ProjectScope } from '../access/identity';
import { claimedProject } from '../access/request-project';
import { type Arrival } from '../ledger/arrivals.repository';
import { type NewBinding } from '../ledger/binding-statements';
import { type NewOperation, type OperationSubject } from '../ledger/operation-statements';

import { recordedRequest } from './recorded-request';
import { type Released } from './released';
import { type UnmountResult } from './responses';

/** Who asks: `aborted` once he has hung up before he was answered. */
export type CallerPresence = Pick<AbortSignal, 'aborted'>;

export type TargetResponse = MountResponseDto | UnmountResponseDto;

/** A request of this process that has not been answered yet. */
export interface WaitingRequest {
  readonly action: 'mount' | 'unmount';
  readonly request: TargetRequestDto;
  readonly operationId: string;
  /** Under which it is found in the logs; null where it did not come by HTTP. */
  readonly requestId: string | null;
  /** Runs work that is done for this request: logs and traces tell whose it is. */
  readonly inContext: <T>(work: () => T) => T;
  /** Where the request wants the target; null: it joins the mount wherever that stands, else at the default path. */
  readonly mountPath: string | null;
  /** Aborted when the caller has hung up: then the request is not begun. */
  readonly caller: CallerPresence;
  /** Whose bindings it may change, and whose mount it may share. */
  readonly scope: ProjectScope;
  /** When it came in, by performance.now(). */
  readonly arrivedAt: number;
  /** The same in the order of the requests of all processes. */
  readonly arrival: Arrival;
  /** The Idempotency-Key under which it came, as it stands in the ledger; null: it came without one. */
  readonly idempotencyKey: string | null;
  /** By performance.now(); after it the caller was answered TIMEOUT and nobody waits any more. */
  readonly deadline: number;
  readonly answered: boolean;
  /** What of its job an unmount has ended. */
  released: Released;
  /** What was wrong already with the mount that it ends. */
  problem: UnmountResult['problem'];
  /** Of an unmount: its job had left before the mount was made that it meets now. */
  leftBefore: boolean;
  /** Its claim and operation stand in the ledger now. */
  taken(): void;
  answer(response: TargetResponse): void;
  fail(error: DmsError): void;
}

/** Does `work` for a request; of several that share it, the first. Without one it is the program's own. */
export function doneFor<T>(waiting: WaitingRequest | undefined, work: () => T): T {
  return waiting === undefined ? work() : waiting.inContext(work);
}

export function jobOf({ request }: WaitingRequest): number {
  return request.job.jobid;
}

export function subjectOf(waiting: WaitingRequest): OperationSubject {
  return { action: waiting.action, jobid: jobOf(waiting), requestId: waiting.requestId };
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
    projectId: projectOf(waiting),
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
    projectId: projectOf(waiting),
    requestId: waiting.requestId,
    mountPath: waiting.mountPath,
    requestData: recordedRequest(request, waiting.action),
    arrivedAt: waiting.arrivedAt,
    arrival: waiting.arrival.place,
  };
}

/** The project for which it is carried out; null: none is known. */
export function projectOf({ request }: WaitingRequest): string | null {
  return claimedProject(request.context);
}
