import { setTimeout as sleep } from 'node:timers/promises';

/** How `waitFor` waits, and what it says when it waited in vain. */
export interface WaitOptions {
  readonly timeoutMs: number;
  /** Completes the sentence 'Waited … in vain for …'. */
  readonly what: string;
  readonly intervalMs?: number;
}

/**
 * Asks `condition` again and again until it answers something other than false, null or undefined, and returns that.
 *
 * What the condition throws ends the wait at once: a condition that expects errors has to catch them itself. An error
 * that is swallowed here would turn each typing mistake into a time-out.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, false | null | undefined>> {
  const end = Date.now() + options.timeoutMs;
  for (;;) {
    const left = end - Date.now();
    // The last question is asked after the time is up, so that a slow machine gets one more chance.
    const answer = await within(Promise.resolve(condition()), Math.max(left, 1000), options.what);
    if (answer !== false && answer !== null && answer !== undefined) {
      return answer as Exclude<T, false | null | undefined>;
    }
    if (left <= 0) throw new Error(`Waited ${options.timeoutMs} ms in vain for ${options.what}`);
    await sleep(Math.min(options.intervalMs ?? 25, Math.max(left, 1)));
  }
}

/**
 * The promise's own outcome, or an error that names `what` if that takes longer than `timeoutMs`.
 */
export async function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${timeoutMs} ms in vain for ${what}`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits for all, and only then throws the first error: with `Promise.all` the others would go on working in a directory
 * that the caller clears away meanwhile.
 */
export async function allDone(promises: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(promises);
  const failures = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
  );
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, failures.map(String).join('\n'));
}
