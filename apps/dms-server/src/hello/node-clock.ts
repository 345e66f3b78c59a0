/**
 * This node's clock in milliseconds: it never jumps, runs from the boot, and goes on when dms-server is restarted.
 */
export function nodeClockMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
