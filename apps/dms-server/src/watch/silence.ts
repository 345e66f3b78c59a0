/** A daemon that works without answering is waited for so many times longer than one that does nothing. */
const PATIENCE_WITH_WORK = 6;

/** How long a daemon has not answered. Times are those of `performance.now()`. */
export interface Silence {
  /** When the first question was asked that it did not answer. */
  readonly since: number;
  /** When it was last seen to have used the processor since then. */
  readonly idleSince: number;
  readonly cpuTicks: number | null;
}

/**
 * The silence after one more question that was not answered.
 *
 * @param before null where the question before it was answered
 * @param cpuTicks processor time of the daemon so far; null where it is not known
 */
export function lengthened(
  before: Silence | null,
  asked: number,
  now: number,
  cpuTicks: number | null,
): Silence {
  if (before === null) return { since: asked, idleSince: asked, cpuTicks };
  const works = cpuTicks !== null && before.cpuTicks !== null && cpuTicks > before.cpuTicks;
  return { since: before.since, idleSince: works ? now : before.idleSince, cpuTicks };
}

/**
 * A daemon hangs that has not answered for `limitMs` and done nothing meanwhile. One that uses the processor may be a
 * program that does one thing at a time, such as a large upload.
 */
export function isHang({ since, idleSince }: Silence, limitMs: number, now: number): boolean {
  return now - idleSince >= limitMs || now - since >= PATIENCE_WITH_WORK * limitMs;
}
