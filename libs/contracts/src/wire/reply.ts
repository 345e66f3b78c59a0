import { type ErrorCode, isErrorCode } from '../errors/error-codes';
import { type TargetType } from '../requests/target-request.dto';

/** The reply that every program of the Python system knows: exactly these keys, in this order. */
export interface LegacyReply {
  readonly status: 'success' | 'error';
  readonly error_msg: string | null;
  readonly success_msg: string | null;
}

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

/** A mount that a node carried out for a program that sends no epochs, and which has not sent the unmount. */
export interface LegacyHolderView {
  /** By which a command's `legacy_ended` names it. */
  readonly id: string;
  /** Null where the program did not say. */
  readonly jobid: number | null;
  /** Milliseconds since the mount was done. */
  readonly age_ms: number;
}

/** What this project adds to a reply, behind the three keys, where the request carried `dms`. */
export interface NodeReply extends LegacyReply {
  readonly error_code: ErrorCode | null;
  readonly mount_path: string | null;
  readonly epoch: number | null;
  readonly incarnation: string;
  /** The boot of the node: mount ids begin anew with each. Null: the node did not say. */
  readonly boot_id: string | null;
  readonly node: string;
  readonly mount: MountObservation | null;
  /** False where the command was refused before anything was done. */
  readonly acted: boolean;
  /** Answer to `inventory` only. */
  readonly inventory?: Inventory;
  /** The ledger of which the node has something mounted: in an inventory, and where another one's command is refused. */
  readonly ledger?: string;
  /** Where an unmount is refused for their sake. */
  readonly legacy_holders?: readonly LegacyHolderView[];
}

/** A mount table entry that is not ours, below one of the node's bases. */
export interface ForeignMount {
  readonly mount_path: string;
  readonly source: string;
  readonly fstype: string;
  readonly mnt_id: number;
}

/** A FUSE daemon that the node keeps. */
export interface FuseProcess {
  readonly backup_target_id: string;
  readonly pid: number;
  readonly alive: boolean;
  readonly mount_path: string;
  /** ISO 8601, UTC. */
  readonly started_at: string | null;
  readonly rss_bytes: number | null;
  readonly cpu_percent: number | null;
  /** Of the process: `runs`, `sleeps`, `stopped` (by SIGSTOP or a debugger) or `waits` (in the kernel). Absent in older programs. */
  readonly state?: string;
}

/** All that a node knows and sees. */
export interface Inventory {
  readonly mounts: readonly MountObservation[];
  readonly foreign: readonly ForeignMount[];
  readonly processes: readonly FuseProcess[];
}

/** A reply as it came: one of ours, or of a Python server, which knows only the three keys. */
export type ParsedReply = { kind: 'node'; reply: NodeReply } | { kind: 'legacy'; reply: LegacyReply };

/**
 * `body` as a reply, or null where it is none (then nothing is known of what happened).
 * An error code that this version does not know is read as INTERNAL.
 */
export function parseReply(body: unknown): ParsedReply | null {
  if (typeof body !== 'object' || body === null) return null;
  const reply = body as Partial<NodeReply>;
  if (reply.status !== 'success' && reply.status !== 'error') return null;
  const legacy: LegacyReply = {
    status: reply.status,
    error_msg: text(reply.error_msg),
    success_msg: text(reply.success_msg),
  };
  if (typeof reply.node !== 'string' || typeof reply.incarnation !== 'string') {
    return { kind: 'legacy', reply: legacy };
  }
  return {
    kind: 'node',
    reply: {
      ...legacy,
      error_code: errorCode(reply.status, reply.error_code),
      mount_path: text(reply.mount_path),
      epoch: Number.isInteger(reply.epoch) ? (reply.epoch as number) : null,
      incarnation: reply.incarnation,
      boot_id: text(reply.boot_id),
      node: reply.node,
      mount: isObservation(reply.mount) ? reply.mount : null,
      acted: reply.acted !== false,
      ...(reply.inventory === undefined ? {} : { inventory: reply.inventory }),
      ...(typeof reply.ledger === 'string' ? { ledger: reply.ledger } : {}),
      ...(areLegacyHolders(reply.legacy_holders) ? { legacy_holders: reply.legacy_holders } : {}),
    },
  };
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** A success may carry a code too: UNMOUNTED_DIRTY. */
function errorCode(status: LegacyReply['status'], value: unknown): ErrorCode | null {
  if (isErrorCode(value)) return value;
  return status === 'success' ? null : 'INTERNAL';
}

function areLegacyHolders(value: unknown): value is LegacyHolderView[] {
  return Array.isArray(value) && value.every(isLegacyHolder);
}

function isLegacyHolder(value: unknown): value is LegacyHolderView {
  if (typeof value !== 'object' || value === null) return false;
  const { id, jobid, age_ms } = value as Partial<LegacyHolderView>;
  const isJob = jobid === null || Number.isSafeInteger(jobid);
  return typeof id === 'string' && isJob && Number.isInteger(age_ms);
}

function isObservation(value: unknown): value is MountObservation {
  if (typeof value !== 'object' || value === null) return false;
  const mount = value as Partial<MountObservation>;
  return (
    MOUNT_OBSERVATION_STATES.some((state) => state === mount.state) &&
    typeof mount.mounted === 'boolean' &&
    typeof mount.backup_target_id === 'string' &&
    Number.isInteger(mount.children_left) &&
    Number.isInteger(mount.epoch)
  );
}
