import { Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { TargetLedger } from '../ledger/target-ledger';
import { type TargetKey } from '../ledger/target-key';
import { type BindingRow } from '../ledger/binding-statements';
import { type TargetRow, type TargetTransaction } from '../ledger/target-transaction';
import { MountReports } from '../nodes/mount-reports';
import { type NodeView, NodeViewsService } from '../nodes/node-views.service';
import { isOther, otherLedger } from '../nodes/other-ledger';
import { conflictWith } from './compatibility';
import { earlierMounts } from './earlier-mounts';
import { answerStrangers } from './strangers';
import { endsBinding, releasedBy } from './released';
import { errorEnd, mountResponse, successEnd, type UnmountResult, unmountResponse } from './responses';
import { logFoundHolds } from './unmount-log';
import { bindingOf, jobOf, openingOf, type TargetResponse, type WaitingRequest } from './waiting-request';

/** The job wrote to a mount that broke or vanished under it: what it wrote last may be gone. */
const MOUNT_WAS_LOST: UnmountResult['problem'] = {
  code: 'UNMOUNTED_DIRTY',
  message: 'the job had lost this mount: it broke or was taken away from outside',
};

/** What the intake of a request came to; `waits` is to be settled with the node. */
export type IntakeResult =
  | { readonly kind: 'answer'; readonly response: TargetResponse }
  | { readonly kind: 'error'; readonly error: DmsError }
  | { readonly kind: 'waits' };

/**
 * The first transaction of a request: writes the claim (or ends the binding) and the operation before anything
 * waits, and answers at once what needs no node.
 */
@Injectable()
export class IntakeService {
  readonly #log = new Logger(IntakeService.name);

  constructor(
    private readonly ledger: TargetLedger,
    private readonly views: NodeViewsService,
    private readonly reports: MountReports,
  ) {}

  /**
   * Takes requests of one kind, of different jobs, for one target, in one transaction.
   *
   * @throws DmsError LEDGER_UNAVAILABLE, LOCK_TIMEOUT: none was taken; TIMEOUT: unknown
   */
  async take(
    key: TargetKey,
    requests: readonly WaitingRequest[],
  ): Promise<Map<WaitingRequest, IntakeResult>> {
    const view = await this.views.view(key.host);
    return this.ledger.transaction(key, async (transaction) => {
      const results: Map<WaitingRequest, IntakeResult> = await answerStrangers(transaction, requests);
      const refused = await overtakenAmong(transaction, requests);
      for (const waiting of requests) {
        if (results.has(waiting)) continue;
        const error = waiting.caller.aborted
          ? hungUp()
          : (refused.get(waiting) ?? (await repeated(transaction, waiting)));
        if (error !== null) results.set(waiting, { kind: 'error', error });
      }
      const current = requests.filter((waiting) => !results.has(waiting));
      const mounts = current.filter(({ action }) => action === 'mount');
      if (mounts.length > 0) await this.#mounts(transaction, view, mounts, results);
      const unmounts = current.filter(({ action }) => action === 'unmount');
      if (unmounts.length > 0) await this.#unmounts(transaction, unmounts, results);
      return results;
    });
  }

  async #mounts(
    transaction: TargetTransaction,
    view: NodeView,
    mounts: readonly WaitingRequest[],
    results: Map<WaitingRequest, IntakeResult>,
  ): Promise<void> {
    const { row, bindings, operations } = transaction;
    const fitting: WaitingRequest[] = [];
    const before = await bindings.ofJobs(row.draining ? mounts.map(jobOf) : []);
    for (const waiting of mounts) {
      const error = refusal(row, view, waiting, before.get(jobOf(waiting))) ?? conflictWith(row, waiting);
      if (error === null) fitting.push(waiting);
      else {
        await operations.record([{ opening: openingOf(waiting), end: errorEnd(waiting, error, null) }]);
        results.set(waiting, { kind: 'error', error });
      }
    }
    const isSeen = view.up && view.punctual && view.incarnation === row.incarnation;
    const isReported = this.reports.of(transaction.key, row.epoch, row.mntId) !== null;
    if (row.state === 'MOUNTED' && isSeen && !isReported) {
      await bindings.hold(fitting.map(bindingOf));
      await answerAll(
        transaction,
        fitting.map((waiting) => ({ waiting, response: mountResponse(waiting, row, true) })),
        results,
      );
    } else {
      await bindings.claim(fitting.map(bindingOf));
      await operations.begin(fitting.map(openingOf));
      for (const waiting of fitting) results.set(waiting, { kind: 'waits' });
    }
    for (const { request, operationId } of fitting) {
      if (request.hold_id) await bindings.addHold(request.job.jobid, request.hold_id, operationId);
    }
  }

  async #unmounts(
    transaction: TargetTransaction,
    unmounts: readonly WaitingRequest[],
    results: Map<WaitingRequest, IntakeResult>,
  ): Promise<void> {
    const { row, bindings, operations } = transaction;
    const before = await bindings.ofJobs(unmounts.map(jobOf));
    const released: WaitingRequest[] = [];
    for (const waiting of unmounts) {
      waiting.problem = null;
      waiting.released = await releasedBy(transaction, waiting, before.get(jobOf(waiting)));
      if (endsBinding(waiting)) released.push(waiting);
    }
    await bindings.release(released.map(jobOf));
    const counts = await bindings.count();
    const remaining = counts.claimed + counts.held;
    const holds = (jobid: number): boolean =>
      ['held', 'claimed'].includes(before.get(jobid)?.state ?? 'released');
    logFoundHolds(this.#log, transaction.key, {
      without: unmounts.map(jobOf).filter((jobid) => !holds(jobid)),
      ending: released.map(jobOf).filter(holds).length,
      remaining,
    });
    const earlier = await earlierMounts(transaction, unmounts.map(jobOf), before);
    for (const waiting of unmounts) {
      const isLost = before.get(jobOf(waiting))?.state === 'lost';
      const mount = earlier.get(jobOf(waiting));
      waiting.problem = isLost ? MOUNT_WAS_LOST : (mount?.problem ?? null);
      waiting.leftBefore = mount?.leftBefore ?? false;
    }
    if (remaining === 0 && row.state !== 'ABSENT') {
      await operations.begin(unmounts.map(openingOf));
      for (const waiting of unmounts) results.set(waiting, { kind: 'waits' });
      return;
    }
    const answers = unmounts.map((waiting) => {
      const result: UnmountResult = { unmounted: false, remaining, problem: waiting.problem };
      return { waiting, response: unmountResponse(waiting, row, result) };
    });
    await answerAll(transaction, answers, results);
  }
}

/** Answers requests that need no node, and records their operations as begun and ended. */
async function answerAll(
  { operations }: TargetTransaction,
  answers: readonly { waiting: WaitingRequest; response: TargetResponse }[],
  results: Map<WaitingRequest, IntakeResult>,
): Promise<void> {
  await operations.record(
    answers.map(({ waiting, response }) => ({ opening: openingOf(waiting), end: successEnd(response) })),
  );
  for (const { waiting, response } of answers) results.set(waiting, { kind: 'answer', response });
}

/**
 * Requests whose job has asked for the opposite since they came in. They have waited here, for the row or because this
 * process was stopped: a mount that was cut off must not claim after its unmount, nor an unmount release a newer hold.
 * Named holds are things of their own.
 */
async function overtakenAmong(
  { operations }: TargetTransaction,
  requests: readonly WaitingRequest[],
): Promise<Map<WaitingRequest, DmsError>> {
  const earliest = Math.min(...requests.map(({ arrival }) => arrival.place));
  const others = await operations.ofJobsAfter(requests.map(jobOf), earliest);
  const refused = new Map<WaitingRequest, DmsError>();
  for (const waiting of requests) {
    const { place, isPrompt } = waiting.arrival;
    const isOvertaken = others.some(
      (other) =>
        other.jobid === jobOf(waiting) &&
        other.action !== waiting.action &&
        other.arrival > place &&
        concerns(other.holdId, waiting.request.hold_id ?? null),
    );
    if (isOvertaken) refused.set(waiting, isPrompt ? overtaken() : outOfOrder());
  }
  return refused;
}

/** A request whose Idempotency-Key stands for another one meanwhile: a repeat took this one for dead. */
async function repeated(
  { idempotencyKeys }: TargetTransaction,
  { idempotencyKey, operationId }: WaitingRequest,
): Promise<DmsError | null> {
  if (idempotencyKey === null || (await idempotencyKeys.begin(idempotencyKey, operationId))) return null;
  return new DmsError('CONFLICT', 'Idempotency-Key: a repeat of this request is carried out instead of it');
}

/** A request that names no hold is about all of them. */
function concerns(one: string | null, other: string | null): boolean {
  return one === null || other === null || one === other;
}

function refusal(
  row: TargetRow,
  { ledger }: NodeView,
  { request: { host } }: WaitingRequest,
  binding: BindingRow | undefined,
): DmsError | null {
  if (isOther(ledger, row.ledger)) return otherLedger(host, ledger, row.ledger);
  // A job that asks again for what it has, its answer having been lost, is no new one.
  const counts = binding?.state === 'held' || binding?.state === 'claimed';
  if (row.draining && !counts)
    return new DmsError('BUSY', `Node "${host}" is being drained and takes no new mounts`);
  return null;
}

function overtaken(): DmsError {
  return new DmsError('CONFLICT', 'The job has made a newer request; this one was not begun');
}

function outOfOrder(): DmsError {
  const message =
    'The request waited so long that it cannot be told whether the job has made a newer one; it was not begun: ask again';
  return new DmsError('LOCK_TIMEOUT', message);
}

function hungUp(): DmsError {
  return new DmsError('TIMEOUT', 'The caller hung up; the request was not begun');
}
