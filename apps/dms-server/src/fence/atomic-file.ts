import { renameSync, rmSync, writeFileSync } from 'node:fs';

/** Ends of the names of files that are being written; what bears one after a crash is rubbish. */
export const TEMPORARY_SUFFIX = '.tmp';

/**
 * Writes a file so that a reader, or a start after a crash, finds the old or the new text and never half of one.
 *
 * It blocks, which is right for the run directory: a local tmpfs, where this takes microseconds. Nothing is synced to
 * a disk, for a crash of the machine changes the boot id, and that voids the memory anyway.
 */
export function writeAtomically(path: string, text: string): void {
  const temporary = `${path}${TEMPORARY_SUFFIX}`;
  try {
    writeFileSync(temporary, text, { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
