/** The kernel's ends of FUSE mounts (fusectl). */
export interface FuseConnections {
  /**
   * Cuts a connection: whatever waits for its daemon fails at once, also what no signal ends, and so does all that comes
   * later. What the daemon was not given yet is lost.
   *
   * @param device `major:minor` of the mount, which the caller has just seen to be the one that is meant
   * @throws DmsError UNMOUNT_FAILED where it could not be cut
   */
  abort(targetId: string, device: string): Promise<void>;

  /**
   * Tells whether the kernel keeps a connection of this device: its mount stands somewhere, or somebody has a file of it
   * open. True also where it cannot be told.
   */
  isKept(targetId: string, device: string): Promise<boolean>;
}

export const FUSE_CONNECTIONS = Symbol('FuseConnections');
