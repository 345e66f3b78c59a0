import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import {
  DmsError,
  isUnderBase,
  type MountResponseDto,
  type TargetRequestDto,
  type UnmountResponseDto,
} from '@app/contracts';
import { currentRequest, keptContext } from '@app/platform';
import { ALL_PROJECTS, type ProjectScope } from '../access/identity';
import { ArrivalsRepository } from '../ledger/arrivals.repository';
import { HeldBindingsRepository } from '../ledger/held-bindings.repository';
import { MountReports } from '../nodes/mount-reports';
import { NodeViewsService } from '../nodes/node-views.service';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { RequestsUnderWay } from './requests-under-way';
import { TargetCoordinator } from './target-coordinator.service';
import { type CallerPresence, type TargetResponse, type WaitingRequest } from './waiting-request';

/** A look that took more milliseconds is too old to be answered by, and is repeated so often at most. */
const PROMPT_MS = 50;
const LOOKS = 3;
/** Where nobody can hang up. */
const PRESENT: CallerPresence = { aborted: false };

export interface SubmitOptions {
  /** Aborted when the caller hangs up: a request that was not begun by then is not begun. */
  readonly caller?: CallerPresence;
  /** Whose bindings it may change, and whose mount it may share; default: all, for what has no caller to be bounded. */
  readonly scope?: ProjectScope;
  /** The id of the operation, where the caller must know it before the end. */
  readonly operationId?: string;
  /** The Idempotency-Key that stands for this operation in the ledger. */
  readonly idempotencyKey?: string;
  /** Called when the request stands in the ledger and waits for its node. */
  readonly onTaken?: () => void;
}

/** Grants and ends the holds of jobs on backup targets. Ways in: HTTP and the command line. */
@Injectable()
export class MountsService {
  readonly #underWay: RequestsUnderWay;

  constructor(
    private readonly coordinator: TargetCoordinator,
    private readonly views: NodeViewsService,
    private readonly held: HeldBindingsRepository,
    private readonly arrivals: ArrivalsRepository,
    private readonly reports: MountReports,
    @Inject(SETTINGS) private readonly settings: ClientSettings,
  ) {
    this.#underWay = new RequestsUnderWay(settings);
  }

  /**
   * Mounts the target for the job, or lets the job join the mount that stands.
   *
   * @param request has passed `parseTargetRequest`
   * @throws DmsError VALIDATION_FAILED, FORBIDDEN, CONFLICT, BUSY, MOUNT_FAILED, SECRET_UNAVAILABLE, AUTH_EXPIRED,
   *   NODE_UNREACHABLE, LOCK_TIMEOUT, LEDGER_UNAVAILABLE, BROKER_UNAVAILABLE, RATE_LIMITED: nothing is held;
   *   TIMEOUT: the outcome is unknown and is being found out
   */
  async mount(request: TargetRequestDto, options: SubmitOptions = {}): Promise<MountResponseDto> {
    await this.#checkPath(request);
    const response = (await this.#submit('mount', request, options)) as MountResponseDto;
    await this.lookAgain(request, response);
    return response;
  }

  /**
   * Ends the job's hold; the last hold takes the mount away. Never fails because of the mount: what became of it
   * stands in the response.
   *
   * @throws DmsError LEDGER_UNAVAILABLE, LOCK_TIMEOUT, RATE_LIMITED, TIMEOUT
   */
  async unmount(request: TargetRequestDto, options: SubmitOptions = {}): Promise<UnmountResponseDto> {
    return (await this.#submit('unmount', request, options)) as UnmountResponseDto;
  }

  async #checkPath(request: TargetRequestDto): Promise<void> {
    const given = request.backup_target.filesystem_export_mount_path;
    const { bases } = await this.views.view(request.host);
    if (!given || bases.length === 0 || isUnderBase(given, bases)) return;
    const problem = `must be below a base of node "${request.host}": ${bases.join(', ')}`;
    throw DmsError.validation([{ field: 'backup_target.filesystem_export_mount_path', problem }]);
  }

  /**
   * Success is answered only while the binding is held: since the commit the mount may have been lost. To be asked also
   * before an answer is given a second time.
   *
   * @throws DmsError TIMEOUT
   */
  async lookAgain(request: TargetRequestDto, response: MountResponseDto): Promise<void> {
    const { operation_id: operationId, epoch, mnt_id: mntId } = response;
    const key = { host: request.host, targetId: request.backup_target.id };
    for (let look = 1; look <= LOOKS; look += 1) {
      const began = performance.now();
      const held = await this.held.isHeld(key, request.job.jobid).catch((cause: unknown) => {
        // It was granted: that is not unsaid by a ledger that is away now.
        const message = 'The mount was granted, and whether it stands still cannot be looked at; ask again';
        throw new DmsError('TIMEOUT', message, { operationId, cause });
      });
      if (!held || this.reports.of(key, epoch, mntId) !== null) {
        const message = 'The mount was granted, and may have been lost before this answer; ask again';
        throw new DmsError('TIMEOUT', message, { operationId });
      }
      if (performance.now() - began <= PROMPT_MS) return;
    }
  }

  #submit(
    action: 'mount' | 'unmount',
    request: TargetRequestDto,
    {
      caller = PRESENT,
      scope,
      operationId = randomUUID(),
      idempotencyKey,
      onTaken = () => undefined,
    }: SubmitOptions,
  ): Promise<TargetResponse> {
    const key = { host: request.host, targetId: request.backup_target.id };
    const deadlineMs = this.settings.requestTimeoutMs;
    const arrivedAt = performance.now();
    // What the service does by itself is bounded where it begins.
    const end = scope === undefined ? null : this.#underWay.begin(scope.projectId);
    return new Promise((resolve, reject) => {
      let answered = false;
      const once = (settle: () => void): void => {
        if (answered) return;
        answered = true;
        clearTimeout(timer);
        end?.();
        settle();
      };
      const fail = (error: DmsError): void => once(() => reject(error.of(operationId)));
      const timer = setTimeout(() => fail(timedOut(action, deadlineMs)), deadlineMs);
      const waiting: Omit<WaitingRequest, 'arrival'> = {
        action,
        request,
        operationId,
        requestId: currentRequest()?.requestId ?? null,
        inContext: keptContext(),
        mountPath: request.backup_target.filesystem_export_mount_path ?? null,
        caller,
        scope: scope ?? ALL_PROJECTS,
        arrivedAt,
        idempotencyKey: idempotencyKey ?? null,
        deadline: arrivedAt + deadlineMs,
        get answered() {
          return answered;
        },
        released: 'nothing',
        problem: null,
        leftBefore: false,
        taken: onTaken,
        answer: (response) => once(() => resolve(response)),
        fail,
      };
      void this.arrivals
        .arrive(key)
        .then((arrival) => this.coordinator.submit(key, Object.assign(waiting, { arrival })));
    });
  }
}

function timedOut(action: string, deadlineMs: number): DmsError {
  const message = `The ${action} was not finished within ${deadlineMs / 1000} s; its outcome is unknown and is being found out`;
  return new DmsError('TIMEOUT', message);
}
