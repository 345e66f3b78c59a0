import { type BindingRow } from '../ledger/binding-statements';
import { type TargetTransaction } from '../ledger/target-transaction';
import { endedBadly, notFlushed, reasonIn, type UnmountResult } from './responses';

/**
 * How the mounts ended badly that jobs had which ask for an unmount and hold nothing any more: they ask again, because
 * their answer was lost or said that the outcome is unknown. By job; jobs with nothing to tell are left out.
 *
 * A job's own unmount tells it whatever others have done with the target since. Otherwise the target's row tells how the
 * mount ended that stood there last; of that a job had nothing whose last request is older than the mount.
 *
 * @param before the bindings of the jobs as they were before the request
 */
export async function earlierLosses(
  { row, operations }: Pick<TargetTransaction, 'row' | 'operations'>,
  jobids: readonly number[],
  before: ReadonlyMap<number, BindingRow>,
): Promise<Map<number, NonNullable<UnmountResult['problem']>>> {
  const repeats = jobids.filter((jobid) => before.get(jobid)?.state === 'released');
  const lasts = await operations.lastSuccesses(repeats);
  const ofRow = endedBadly(row);
  const mountMade = ofRow === null ? null : await operations.lastMountMade();
  const losses = new Map<number, NonNullable<UnmountResult['problem']>>();
  for (const jobid of repeats) {
    const last = lasts.get(jobid);
    const isOlder = last !== undefined && mountMade !== null && last.arrival < mountMade;
    const isOwn = last?.action === 'unmount' && last.errorCode === 'UNMOUNTED_DIRTY';
    if (ofRow !== null && !isOlder) losses.set(jobid, ofRow);
    else if (isOwn) losses.set(jobid, notFlushed(reasonIn(last.message)));
  }
  return losses;
}
