import { type MountUser } from '@app/contracts';
import { type MountEntry } from './mount-table.interface';

/** What makes a mount of another mount namespace look like one of ours. */
export type CopiedLayer = Pick<MountEntry, 'device' | 'root' | 'fstype' | 'source' | 'mountPath'>;

/** A mount of the same file system in another mount namespace, and one process of that namespace. */
export interface MountCopy {
  /** No two mounts of a machine have the same id at a time, in whichever namespaces they are. */
  readonly mntId: number;
  readonly user: MountUser;
}

/** A mount of ours with its copies. */
export interface CopiedMount {
  readonly layer: CopiedLayer;
  readonly copies: readonly MountCopy[];
}

/**
 * Finds the copies of a mount in other mount namespaces (of containers, say): while one stands, an unmount here does not
 * end the file system. Looking never touches the mount and takes bounded time.
 *
 * The kernel gives the device number of a file system to the next one as soon as it is free. So the number alone proves
 * a copy only while our own layer stands, or a copy that was found while it stood.
 */
export interface MountCopies {
  /**
   * Finds the copies of a layer that stands.
   *
   * @throws Error if the search fails
   */
  find(targetId: string, layer: CopiedLayer): Promise<CopiedMount>;
  /**
   * Finds the copies that are left after our layer is gone: those that were found before, and what has come since and
   * shows the same device, type, source, root and path.
   *
   * @throws Error if the search fails
   */
  left(targetId: string, before: CopiedMount): Promise<CopiedMount>;
}

export const MOUNT_COPIES = Symbol('MountCopies');
