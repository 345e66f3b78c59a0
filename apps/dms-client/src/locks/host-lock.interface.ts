/** A lock of the whole host beside the leases, for hosts on which clients of the Python system still run. */
export interface HostLock {
  /**
   * Runs `work` while the lock is held; where it is switched off, at once.
   *
   * @throws DmsError LOCK_TIMEOUT where it was not got within DMS_LOCK_TIMEOUT, before `work` was begun
   */
  whileHeld<T>(work: () => Promise<T>): Promise<T>;
}

export const HOST_LOCK = Symbol('HostLock');
