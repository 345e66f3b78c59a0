import { type ErrorCode, type TargetType } from '@app/contracts';
import { type MountEntry } from '../kernel/mount-table.interface';

/** How a command ended, for the answer to a repeat of it. */
export interface RecordedOutcome {
  readonly status: 'success' | 'error';
  readonly error_code: ErrorCode | null;
  readonly error_msg: string | null;
  readonly success_msg: string | null;
}

/** What was (last) mounted for a target: with it a layer in the mount table is known to be ours. */
export interface MountedAs {
  readonly type: TargetType;
  /** Normalised export or secret reference. */
  readonly source: string;
  readonly mountPath: string;
  readonly readOnly: boolean;
  /** Null from before the mount is tried until it was seen in the mount table. */
  readonly mntId: number | null;
  readonly device: string | null;
  readonly fstype: string | null;
  /** The source as the mount table shows it. Records of earlier versions lack it. */
  readonly shownSource?: string | null;
  /** The id that it was given when it was mounted, where it was taken up in another mount namespace since. */
  readonly firstMntId?: number | null;
}

/** Returns what is known of a mount once its layer was seen. */
export function seenAs(mountedAs: MountedAs, { mntId, device, fstype, source }: MountEntry): MountedAs {
  const firstMntId = mntId === mountedAs.mntId ? mountedAs.firstMntId : null;
  return { ...mountedAs, mntId, device, fstype, shownSource: source, firstMntId };
}

/**
 * As {@link seenAs}, for the same mount in another mount namespace, where it has another id. The ledger goes on knowing
 * it by its first one.
 */
export function seenAgainAs(mountedAs: MountedAs, layer: MountEntry): MountedAs {
  return { ...seenAs(mountedAs, layer), firstMntId: knownMntId(mountedAs) };
}

/**
 * Tells whether a layer is of the very file system of a mount that was seen before. An id of a mount is valid in one
 * mount namespace only; the device, the type and the source are the same in all of them.
 */
export function isSameFileSystem({ device, fstype, shownSource }: MountedAs, layer: MountEntry): boolean {
  if (device === null || fstype === null) return false;
  const isSameSource = typeof shownSource !== 'string' || shownSource === layer.source;
  return layer.device === device && layer.fstype === fstype && isSameSource;
}

/** Returns the id by which the ledger knows a mount; null until it was seen. */
export function knownMntId({ mntId, firstMntId }: Pick<MountedAs, 'mntId' | 'firstMntId'>): number | null {
  return firstMntId ?? mntId;
}

/** A mount that was carried out for a Python program, which has not sent the unmount. */
export interface LegacyHolder {
  /** A new one for each mount, so that the end of one is never taken for the end of a later one. */
  readonly id: string;
  /** The job that it was mounted for; null where the program did not say. */
  readonly jobid: number | null;
  /** When it was done, in milliseconds by the clock of {@link sinceBoot}. */
  readonly since: number;
}

/** The node's memory of one target. It outlives the mount: the epoch must never be forgotten before
 * the node's incarnation changes. */
export interface TargetRecord {
  readonly targetId: string;
  /** The highest epoch that was received, and the one operation that it authorises. 0 and null before the first. */
  readonly epoch: number;
  readonly operationId: string | null;
  /** Null until that operation has ended. */
  readonly outcome: RecordedOutcome | null;
  readonly mountedAs: MountedAs | null;
  /** Python programs that mounted it and have not unmounted it. */
  readonly legacyHolders: readonly LegacyHolder[];
  /** A command with an epoch mounted it, or found it mounted: it is not a Python program's alone. */
  readonly epochHolder: boolean;
  /** Why data of its mount may be lost; null: no flush failed since it was mounted. It outlives the mount. */
  readonly flushProblem: string | null;
}

/** The record of a target that the node has heard nothing of. */
export function emptyRecord(targetId: string): TargetRecord {
  return {
    targetId,
    epoch: 0,
    operationId: null,
    outcome: null,
    mountedAs: null,
    legacyHolders: [],
    epochHolder: false,
    flushProblem: null,
  };
}
