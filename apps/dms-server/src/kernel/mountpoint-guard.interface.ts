/**
 * Makes mountpoints that writes cannot fill while nothing is mounted there, also those of root: empty, owned by root,
 * mode 0, and immutable, or covered read-only where the file system has no such flag. After an unmount a file
 * `.dms-not-mounted` stands in them until they go.
 */
export interface MountpointGuard {
  /**
   * Makes `path` (and what is missing above it, below the base) a guarded empty directory.
   *
   * @throws DmsError VALIDATION_FAILED if `path` is not below a base, or a symlink leads out of it
   * @throws DmsError MOUNT_FAILED if it exists and is not an empty directory
   */
  prepare(path: string): Promise<void>;
  /**
   * Removes the empty, unmounted directory at once, with those above it that were made for it and are empty; leaves it
   * where it is not empty or somebody mounted there.
   */
  remove(path: string): Promise<void>;
  /** Marks it as not mounted, and removes it after the grace time, unless it was prepared again by then. */
  removeLater(path: string): void;
  /** Directories that were made for mounts, also by an earlier dms-server, and are there still. */
  made(): readonly string[];
}

export const MOUNTPOINT_GUARD = Symbol('MountpointGuard');
