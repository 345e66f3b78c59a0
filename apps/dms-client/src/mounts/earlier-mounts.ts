import { type BindingRow } from '../ledger/binding-statements';
import { type TargetTransaction } from '../ledger/target-transaction';
import { endedBadly, notFlushed, reasonIn, type UnmountResult } from './responses';

/** What a job is told of the mount that it had before. */
export interface EarlierMount {
  readonly problem: UnmountResult['problem'];
  /** It left before the mount was made that stands, or stood last: how that one ends is not told to it. */
  readonly leftBefore: boolean;
}

/**
 * How the mounts ended that jobs had which ask for an unmount and hold nothing any more: they ask again, because their
 * answer was lost or said that the outcome is unknown. By job.
 *
 * A job's own unmount tells it whatever others have done with the target since. Otherwise the target's row tells how the
 * mount ended that stood there last; of that a job had nothing whose last request is older than the mount.
 *
 * @param before the bindings of the jobs as they were before the request
 */
export async function earlierMounts(
  { row, operations }: Pick<TargetTransaction, 'row' | 'operations'>,
  jobids: readonly number[],
  before: ReadonlyMap<number, BindingRow>,
): Promise<Map<number, EarlierMount>> {
  const repeats = jobids.filter((jobid) => before.get(jobid)?.state === 'released');
  const lasts = await operations.lastSuccesses(repeats);
  const ofRow = endedBadly(row);
  const isAsked = repeats.length > 0 && (ofRow !== null || row.state !== 'ABSENT');
  const mountMade = isAsked ? await operations.lastMountMade() : null;
  const mounts = new Map<number, EarlierMount>();
  for (const jobid of repeats) {
    const last = lasts.get(jobid);
    const leftBefore = last !== undefined && mountMade !== null && last.arrival < mountMade;
    const isOwn = last?.action === 'unmount' && last.errorCode === 'UNMOUNTED_DIRTY';
    const own = isOwn ? notFlushed(reasonIn(last.message)) : null;
    mounts.set(jobid, { problem: leftBefore ? own : (ofRow ?? own), leftBefore });
  }
  return mounts;
}
