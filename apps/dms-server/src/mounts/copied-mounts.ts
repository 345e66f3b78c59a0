import { Inject, Injectable, Logger } from '@nestjs/common';
import { type MountUser } from '@app/contracts';
import { type MountedAs } from '../fence/target-record';
import { type CopiedMount, MOUNT_COPIES, type MountCopies } from '../kernel/mount-copies.interface';
import { type MountEntry } from '../kernel/mount-table.interface';

/**
 * Remembers the copies of a mount in other mount namespaces from before its unmount until they are gone. At most one
 * entry a target.
 */
@Injectable()
export class CopiedMounts {
  readonly #logger = new Logger(CopiedMounts.name);
  readonly #mounts = new Map<string, CopiedMount>();

  constructor(@Inject(MOUNT_COPIES) private readonly copies: MountCopies) {}

  /** Looks for the copies of a layer that stands, before it is unmounted. */
  async before(targetId: string, layer: MountEntry): Promise<void> {
    const none = { layer, copies: [] };
    this.#mounts.set(targetId, await this.#found(none, () => this.copies.find(targetId, layer)));
  }

  /** Returns one process for each copy that is left of what was unmounted. */
  async left(targetId: string, mountedAs: MountedAs): Promise<MountUser[]> {
    const before = this.#mounts.get(targetId) ?? rememberedBy(mountedAs);
    if (before === null) return [];
    const now = await this.#found(before, () => this.copies.left(targetId, before));
    this.#mounts.set(targetId, now);
    return now.copies.map(({ user }) => user);
  }

  async isLeft(targetId: string, mountedAs: MountedAs): Promise<boolean> {
    return (await this.left(targetId, mountedAs)).length > 0;
  }

  forget(targetId: string): void {
    this.#mounts.delete(targetId);
  }

  /** A search that fails changes nothing of how an unmount goes. */
  async #found(known: CopiedMount, search: () => Promise<CopiedMount>): Promise<CopiedMount> {
    try {
      return await search();
    } catch (error) {
      this.#logger.warn({ msg: 'The copies of a mount in other namespaces cannot be found', err: error });
      return known;
    }
  }
}

/** What a dms-server knows that was started after the unmount. */
function rememberedBy({ device, fstype, shownSource, mountPath }: MountedAs): CopiedMount | null {
  if (device === null || fstype === null || !shownSource) return null;
  return { layer: { device, fstype, source: shownSource, root: '/', mountPath }, copies: [] };
}
