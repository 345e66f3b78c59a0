import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../errors';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** So that those who were told the same time do not come together. */
const SPREAD_MS = 1_000;

export interface RetryOptions {
  /**
   * How often a failed attempt may be repeated. Unless that is never, attempts that an overload has refused do not count: the
   * request would have waited in the service for as long.
   */
  readonly retries: number;
  /** By `performance.now()`: no attempt begins after it, and no pause is begun that would end after it. */
  readonly deadline: number;
  readonly signal?: AbortSignal;
  /** Whether repeating can do no harm and may help. */
  readonly worthwhile: (error: ServiceError) => boolean;
}

/**
 * Repeats what failed for a passing reason: after the time that the service named, else after pauses that grow and
 * vary. Rejects with the last error, or with the signal's reason.
 */
export async function retrying<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { retries, deadline, signal, worthwhile } = options;
  for (let failures = 0; ;) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ServiceError) || failures >= retries || !worthwhile(error)) throw error;
      const pauseMs = pauseAfter(failures, error.retryAfterS);
      if (performance.now() + pauseMs >= deadline) throw error;
      await pause(pauseMs, signal);
      if (error.code !== 'OVERLOADED') failures += 1;
    }
  }
}

/** As `setTimeout`, and rejects with the signal's own reason. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

function pauseAfter(failures: number, retryAfterS: number | undefined): number {
  if (retryAfterS !== undefined) return retryAfterS * 1_000 + Math.random() * SPREAD_MS;
  const ceiling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}
