import { type MountUser } from '@app/contracts';

/** Finds who keeps a mount. Looking never touches the mount and takes bounded time. */
export interface MountUsers {
  /** Processes with a working directory, root, program or open file at or below `mountPath`. */
  usersOf(targetId: string, mountPath: string): Promise<MountUser[]>;
}

export const MOUNT_USERS = Symbol('MountUsers');
