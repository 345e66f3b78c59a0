import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Looks again and again until `look` gives something: at first every millisecond, later every twentieth of the time
 * that has passed, so that what comes is seen at most 5 % late.
 *
 * @returns what `look` gave, or null where it gave nothing for `limitMs`
 */
export async function waitUntil<T>(limitMs: number, look: () => Promise<T | null>): Promise<T | null> {
  const start = performance.now();
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    const passed = performance.now() - start;
    if (passed >= limitMs) return null;
    await sleep(Math.min(Math.max(passed / 20, 1), 50, limitMs - passed));
  }
}
