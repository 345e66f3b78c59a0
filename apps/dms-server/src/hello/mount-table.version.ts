import { createHash } from 'node:crypto';
import { type MountEntry } from '../kernel/mount-table.interface';

/** Counts how often the mount table was found changed. */
export class MountTableVersion {
  #hash: string | null = null;
  #version = 0;

  /** The version of this state of the table: one more where it differs from the one before. */
  of(table: readonly MountEntry[]): number {
    const hash = createHash('sha256').update(JSON.stringify(table)).digest('hex');
    if (hash !== this.#hash) {
      this.#hash = hash;
      this.#version += 1;
    }
    return this.#version;
  }
}
