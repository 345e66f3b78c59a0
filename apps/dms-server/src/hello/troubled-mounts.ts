import { Injectable } from '@nestjs/common';
import { MAX_TROUBLED_MOUNTS, type TroubledMount } from '@app/contracts';

/** Mounts that the watch sees vanished or broken. Hellos repeat them, because an event that is said once can be lost. */
@Injectable()
export class TroubledMounts {
  readonly #mounts = new Map<string, TroubledMount>();
  #next = 0;

  set(mount: TroubledMount): void {
    this.#mounts.set(mount.backup_target_id, mount);
  }

  delete(targetId: string): void {
    this.#mounts.delete(targetId);
  }

  /**
   * Returns those that a hello is to name. Of more than a hello holds, each one names the next ones.
   *
   * @param isCurrent false for a mount of which a command came since it was seen: it is forgotten, until the watch sees it
   */
  forHello(isCurrent: (mount: TroubledMount) => boolean): TroubledMount[] {
    for (const [targetId, mount] of this.#mounts) if (!isCurrent(mount)) this.#mounts.delete(targetId);
    const mounts = [...this.#mounts.values()];
    if (mounts.length <= MAX_TROUBLED_MOUNTS) return mounts;
    const from = this.#next % mounts.length;
    this.#next = from + MAX_TROUBLED_MOUNTS;
    return [...mounts.slice(from), ...mounts.slice(0, from)].slice(0, MAX_TROUBLED_MOUNTS);
  }
}
