import { type Deadline } from './target-provider.interface';

/** A deadline that passes after `milliseconds`. */
export function deadlineIn(milliseconds: number): Deadline {
  const end = performance.now() + milliseconds;
  return { remainingMs: () => Math.max(end - performance.now(), 0) };
}
