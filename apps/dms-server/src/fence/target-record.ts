import { type ErrorCode, type TargetType } from '@app/contracts';

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

/** The node's memory of one target. It outlives the mount: the epoch must never be forgotten before a reboot. */
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
