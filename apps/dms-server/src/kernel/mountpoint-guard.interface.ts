/**
 * Makes mountpoints that ordinary writes cannot fill while nothing is mounted there: empty, owned by root, mode 0,
 * and immutable where the file system has that flag.
 */
export interface MountpointGuard {
  /**
   * Makes `path` (and what is missing above it, below the base) a guarded empty directory.
   *
   * @throws DmsError VALIDATION_FAILED if `path` is not below a base, or a symlink leads out of it
   * @throws DmsError MOUNT_FAILED if it exists and is not an empty directory
   */
  prepare(path: string): Promise<void>;
  /** Removes the empty, unmounted directory at once; leaves it where it is not empty or somebody mounted there. */
  remove(path: string): Promise<void>;
  /** Removes it after the grace time, unless it was prepared again by then. */
  removeLater(path: string): void;
}

export const MOUNTPOINT_GUARD = Symbol('MountpointGuard');
