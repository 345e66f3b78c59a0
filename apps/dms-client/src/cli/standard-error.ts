import { writeSync } from 'node:fs';

const STDERR = 2;
/** A reader who takes nothing for so long is not waited for. */
const PATIENCE_MS = 1_000;

/**
 * Writes to standard error past Node's stream: a stream makes a pipe non-blocking, also for the command of `dms run`
 * that has the same pipe and does not expect it. Who reads it may be gone, which changes nothing.
 */
export function printError(text: string): void {
  writeAll(STDERR, text);
}

/** Writes all of a text to a descriptor, as far as it is read. Never throws. */
export function writeAll(descriptor: number, text: string): void {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (let rest = Buffer.from(text); rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN' || performance.now() > giveUpAt) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
