import { Injectable } from '@nestjs/common';

/** Mounts that stand and gave no good answer when the watch asked them, by target. */
@Injectable()
export class MountDoubts {
  readonly #mounts = new Map<string, number>();

  has(targetId: string, mntId: number | null): boolean {
    return mntId !== null && this.#mounts.get(targetId) === mntId;
  }

  add(targetId: string, mntId: number): void {
    this.#mounts.set(targetId, mntId);
  }

  get count(): number {
    return this.#mounts.size;
  }

  delete(targetId: string): void {
    this.#mounts.delete(targetId);
  }

  /** Forgets the targets that are not among `known`. */
  keep(known: ReadonlySet<string>): void {
    for (const targetId of this.#mounts.keys()) if (!known.has(targetId)) this.#mounts.delete(targetId);
  }
}
