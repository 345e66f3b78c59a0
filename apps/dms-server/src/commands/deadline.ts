import { deadlineIn } from '../providers/deadlines';
import { type Deadline } from '../providers/target-provider.interface';

/** `deadline`, or that many milliseconds from now if this is sooner. */
export function atMost(deadline: Deadline, milliseconds: number): Deadline {
  return deadlineIn(Math.min(deadline.remainingMs(), milliseconds));
}
