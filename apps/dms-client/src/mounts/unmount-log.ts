import { type Logger } from '@nestjs/common';
import { happened } from '@app/platform';
import { type TargetKey } from '../ledger/target-key';

/** What an unmount has found before it, in the words that operators of the Python system look for. */
export interface FoundHolds {
  /** Jobs that ask, as far as they hold nothing. */
  readonly without: readonly number[];
  /** Holds that end now. */
  readonly ending: number;
  /** Holds of others. */
  readonly remaining: number;
}

export function logFoundHolds(log: Logger, key: TargetKey, { without, ending, remaining }: FoundHolds): void {
  if (without.length > 0) log.log({ msg: 'No active mount found for this job', ...key, jobids: without });
  const found = ending + remaining;
  if (found === 0) return;
  log.log({ msg: `Found ${found} active mount(s) for ${key.targetId} on ${key.host}`, ...key });
  if (remaining === 0 || ending === 0) return;
  for (let n = 0; n < ending; n += 1) happened({ what: 'unmount_skipped' });
  log.log({ msg: `Multiple active mounts (${found}) detected. Skipping physical unmount`, ...key });
}
