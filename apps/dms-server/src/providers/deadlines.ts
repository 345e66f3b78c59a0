import { type Deadline } from './target-provider.interface';

/**
 * A deadline that passes after `milliseconds`.
 *
 * @param setBy see {@link Deadline}
 */
export function deadlineIn(milliseconds: number, setBy = 'the time of its command'): Deadline {
  const end = performance.now() + milliseconds;
  return { remainingMs: () => Math.max(end - performance.now(), 0), setBy };
}

/** A setting and its value, as messages name them: `DMS_PROBE_TIMEOUT (10 s)`. */
export function namedLimit(setting: string, milliseconds: number): string {
  return `${setting} (${Math.round(milliseconds / 100) / 10} s)`;
}
