import { deadlineIn, namedLimit } from '../providers/deadlines';
import { type Deadline } from '../providers/target-provider.interface';

/**
 * `deadline`, or that many milliseconds from now if this is sooner.
 *
 * @param setting where they come from, for messages
 */
export function atMost(deadline: Deadline, milliseconds: number, setting?: string): Deadline {
  const remainingMs = deadline.remainingMs();
  if (remainingMs <= milliseconds) return deadlineIn(remainingMs, deadline.setBy);
  return deadlineIn(milliseconds, setting === undefined ? deadline.setBy : namedLimit(setting, milliseconds));
}
