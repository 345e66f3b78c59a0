import { type BindingRow } from '../ledger/binding-statements';
import { type TargetTransaction } from '../ledger/target-transaction';
import { type WaitingRequest } from './waiting-request';

/** What of its job an unmount has ended: all that it held, one named hold of several, or nothing, for there was none. */
export type Released = 'all' | 'one of several' | 'nothing';

/** Ends the hold that an unmount names. What was named by none is yet to be ended. @param binding as it was before */
export async function releasedBy(
  { bindings }: TargetTransaction,
  { request: { job, hold_id } }: WaitingRequest,
  binding: BindingRow | undefined,
): Promise<Released> {
  if (!hold_id) return (binding?.state ?? 'released') === 'released' ? 'nothing' : 'all';
  const ended = await bindings.endHold(job.jobid, hold_id);
  if (ended === 'unknown') return 'nothing';
  return ended === 'last' ? 'all' : 'one of several';
}

/** False where the request names a hold that the job does not have, or others of its holds remain. */
export function endsBinding({ released, request }: WaitingRequest): boolean {
  return released === 'all' || !request.hold_id;
}

/** It as the beginning of an answer. */
export function releasedText({ released, request: { hold_id } }: WaitingRequest): string {
  if (released === 'nothing') return hold_id ? `The job had no hold "${hold_id}"` : 'The job held nothing';
  return released === 'one of several' ? `Released the hold "${hold_id}"` : 'Released';
}
