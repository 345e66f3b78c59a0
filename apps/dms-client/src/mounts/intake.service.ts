import { Injectable } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { TargetLedger } from '../ledger/target-ledger';
import { type TargetKey } from '../ledger/target-key';
import { type TargetRow, type TargetTransaction } from '../ledger/target-transaction';
import { type NodeView, NodeViewsService } from '../nodes/node-views.service';
import { conflictWith } from './compatibility';
import { errorEnd, mountResponse, successEnd, type UnmountResult, unmountResponse } from './responses';
import { bindingOf, jobOf, openingOf, type TargetResponse, type WaitingRequest } from './waiting-request';

/** Milliseconds within which a request is taken in; one that took longer may have been overtaken. */
const PROMPT_MS = 200;

/** The job wrote to a mount that broke or vanished under it: what it wrote last may be gone. */
const MOUNT_WAS_LOST: UnmountResult['problem'] = {
  code: 'UNMOUNTED_DIRTY',
  message: 'the job had lost this mount: it broke or was taken away from outside',
};

/** What the intake of a request came to; `waits` is to be settled with the node. */
export type IntakeResult =
  | { readonly kind: 'answer'; readonly response: TargetResponse; readonly decidedAt: number }
  | { readonly kind: 'error'; readonly error: DmsError }
  | { readonly kind: 'waits' };

/**
 * The first transaction of a request: writes the claim (or ends the binding) and the operation before anything
 * waits, and answers at once what needs no node.
 */
@Injectable()
export class IntakeService {
  constructor(
    private readonly ledger: TargetLedger,
    private readonly views: NodeViewsService,
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
      const results = new Map<WaitingRequest, IntakeResult>();
      for (const waiting of requests) {
        if (waiting.caller.aborted) results.set(waiting, hungUp());
        else if (await isOvertaken(transaction, waiting)) results.set(waiting, overtaken());
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
    for (const waiting of mounts) {
      const error = refusal(row, waiting) ?? conflictWith(row, waiting);
      if (error === null) fitting.push(waiting);
      else {
        await operations.record([{ opening: openingOf(waiting), end: errorEnd(waiting, error, null) }]);
        results.set(waiting, { kind: 'error', error });
      }
    }
    if (row.state === 'MOUNTED' && view.up && view.incarnation === row.incarnation) {
      const answers = fitting.map((waiting) => ({ waiting, response: mountResponse(waiting, row, true) }));
      await bindings.hold(fitting.map(bindingOf));
      await operations.record(
        answers.map(({ waiting, response }) => ({ opening: openingOf(waiting), end: successEnd(response) })),
      );
      for (const { waiting, response } of answers)
        results.set(waiting, { kind: 'answer', response, decidedAt: performance.now() });
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
      if (await endsBinding(transaction, waiting)) released.push(waiting);
    }
    await bindings.release(released.map(jobOf));
    const counts = await bindings.count();
    const remaining = counts.claimed + counts.held;
    for (const waiting of unmounts) {
      if (remaining === 0 && row.state !== 'ABSENT') {
        await operations.begin([openingOf(waiting)]);
        results.set(waiting, { kind: 'waits' });
        continue;
      }
      const problem = before.get(jobOf(waiting))?.state === 'lost' ? MOUNT_WAS_LOST : null;
      const result: UnmountResult = { unmounted: false, remaining, problem };
      const response = unmountResponse(waiting, row, result);
      await operations.record([{ opening: openingOf(waiting), end: successEnd(response) }]);
      results.set(waiting, { kind: 'answer', response, decidedAt: performance.now() });
    }
  }
}

/**
 * A request that has waited here (this process was paused, or the database slow) while its job has asked for something
 * else since: a mount that was cut off must not claim after its unmount, nor an unmount release a newer hold.
 */
async function isOvertaken({ operations }: TargetTransaction, waiting: WaitingRequest): Promise<boolean> {
  const waitedMs = performance.now() - waiting.arrivedAt;
  return waitedMs > PROMPT_MS && (await operations.hasNewer(jobOf(waiting), waitedMs));
}

/** False where the request names a hold that the job does not have, or others of its holds remain. */
async function endsBinding({ bindings }: TargetTransaction, { request }: WaitingRequest): Promise<boolean> {
  if (!request.hold_id) return true;
  return (await bindings.endHold(request.job.jobid, request.hold_id)) === 'last';
}

function refusal(row: TargetRow, { request }: WaitingRequest): DmsError | null {
  return row.draining
    ? new DmsError('BUSY', `Node "${request.host}" is being drained and takes no new mounts`)
    : null;
}

function overtaken(): IntakeResult {
  return {
    kind: 'error',
    error: new DmsError('CONFLICT', 'The job has made a newer request; this one was not begun'),
  };
}

function hungUp(): IntakeResult {
  return { kind: 'error', error: new DmsError('TIMEOUT', 'The caller hung up; the request was not begun') };
}
