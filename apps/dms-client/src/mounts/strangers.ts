import { DmsError } from '@app/contracts';
import { mayChange, mayShare } from '../access/sharing';
import { type BindingRow } from '../ledger/binding-statements';
import { type NewOperation, type OperationEnd } from '../ledger/operation-statements';
import { type TargetRow, type TargetTransaction } from '../ledger/target-transaction';
import { errorEnd, successEnd, unmountResponse } from './responses';
import { jobOf, openingOf, type TargetResponse, type WaitingRequest } from './waiting-request';

/** What a request came to that reaches for another project's. */
export type StrangerResult =
  | { readonly kind: 'answer'; readonly response: TargetResponse }
  | { readonly kind: 'error'; readonly error: DmsError };

/**
 * Finds the requests that reach for what another project has: a mount under the name of its job, an unmount of its hold
 * or of its mount. The one is FORBIDDEN; the other is answered as one of what is not held, which tells nothing.
 */
export async function answerStrangers(
  transaction: TargetTransaction,
  requests: readonly WaitingRequest[],
): Promise<Map<WaitingRequest, StrangerResult>> {
  const results = new Map<WaitingRequest, StrangerResult>();
  const bounded = requests.filter(({ scope }) => scope.proven && scope.projectId !== null);
  if (bounded.length === 0) return results;
  const { row, bindings, operations } = transaction;
  const found = await bindings.ofJobs(bounded.map(jobOf));
  const records: { opening: NewOperation; end: OperationEnd }[] = [];
  for (const waiting of bounded) {
    if (!isStranger(waiting, row, found.get(jobOf(waiting)))) continue;
    // Not by its job: a stranger's request must not count as a newer one of the job that it names.
    const opening = { ...openingOf(waiting), jobid: null };
    if (waiting.action === 'mount') {
      const error = new DmsError('FORBIDDEN', 'job.jobid: the job belongs to another project');
      records.push({ opening, end: errorEnd(waiting, error, null) });
      results.set(waiting, { kind: 'error', error });
    } else {
      const response = unmountResponse(waiting, hidden(row), {
        unmounted: false,
        remaining: 0,
        problem: null,
      });
      records.push({ opening, end: successEnd(response) });
      results.set(waiting, { kind: 'answer', response });
    }
  }
  await operations.record(records);
  return results;
}

function isStranger(
  { action, scope }: WaitingRequest,
  row: TargetRow,
  binding: BindingRow | undefined,
): boolean {
  if (binding !== undefined && binding.state !== 'released') return !mayChange(scope, binding.projectId);
  return action === 'unmount' && row.state !== 'ABSENT' && !mayShare(scope, row.projectId);
}

/** The row as one that nobody has asked for anything. */
function hidden(row: TargetRow): TargetRow {
  return { ...row, state: 'ABSENT', epoch: 0, mountPath: null };
}
