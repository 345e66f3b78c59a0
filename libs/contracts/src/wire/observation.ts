import { type TargetType } from '../requests/target-request.dto';

export const MOUNT_OBSERVATION_STATES = ['absent', 'mounted', 'broken', 'foreign', 'unknown'] as const;

/**
 * - `absent`: no layer at the path;
 * - `mounted`: ours, and it answers;
 * - `broken`: ours, but dead (ENOTCONN, ESTALE, its daemon gone) or stacked;
 * - `foreign`: somebody else's mount holds the path;
 * - `unknown`: it cannot be said yet, for a child of an earlier command may still live or a look did not answer.
 */
export type MountObservationState = (typeof MOUNT_OBSERVATION_STATES)[number];

/** A process that keeps a mount busy. */
export interface MountUser {
  readonly pid: number;
  readonly command: string;
  /** What it has open there; null where that cannot be seen. */
  readonly path: string | null;
}

/** What a node sees of one target, read from its mount table, never guessed. */
export interface MountObservation {
  readonly state: MountObservationState;
  /** A layer stands at the path in the mount table, whoever's it is. */
  readonly mounted: boolean;
  /** Children of this or an earlier command that may still live. */
  readonly children_left: number;
  readonly backup_target_id: string;
  readonly mount_path: string | null;
  /** What the node's memory says was mounted: the normalised export or secret reference. */
  readonly source: string | null;
  readonly type: TargetType | null;
  /** Type of the file system in the mount table, e.g. `fuse.s3fs` or `nfs4`. */
  readonly fstype: string | null;
  /** A mount of ours keeps the first id that the mount table showed, also where the node has moved to another namespace. */
  readonly mnt_id: number | null;
  /** `major:minor` of the mounted device. */
  readonly device: string | null;
  readonly read_only: boolean | null;
  readonly layers: number;
  /** The FUSE daemon. */
  readonly pid: number | null;
  /** After an unmount: true only where the daemon is known to have flushed cleanly; null: not applicable. */
  readonly flush_verified: boolean | null;
  /** Why it is false: what a node remembers of a failed flush until the target is mounted anew. Absent: nothing. */
  readonly flush_problem?: string;
  /** Who keeps the mount busy. */
  readonly users: readonly MountUser[];
  /** The last (epoch, operation) that the node's memory holds for this target. */
  readonly epoch: number;
  readonly operation_id: string | null;
}

/** Tells whether `value` says of a target what is decided by. */
export function isObservation(value: unknown): value is MountObservation {
  if (typeof value !== 'object' || value === null) return false;
  const mount = value as Partial<MountObservation>;
  return (
    MOUNT_OBSERVATION_STATES.some((state) => state === mount.state) &&
    typeof mount.mounted === 'boolean' &&
    typeof mount.backup_target_id === 'string' &&
    Number.isInteger(mount.children_left) &&
    Number.isInteger(mount.epoch) &&
    areUsers(mount.users)
  );
}

/** Older nodes name none. */
function areUsers(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.every(isUser));
}

function isUser(value: unknown): value is MountUser {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, command, path } = value as Partial<MountUser>;
  return Number.isInteger(pid) && typeof command === 'string' && (path === null || typeof path === 'string');
}
