/**
 * - `answers`: a readdir of the mount was answered;
 * - `dead`: it failed with an errno that means a corrupted mount (ENOTCONN, ESTALE, EIO, …);
 * - `silent`: no answer within the deadline.
 */
export type ProbeResult = { kind: 'answers' } | { kind: 'dead'; reason: string } | { kind: 'silent' };

/** Looks into a mount, always in a child process with a deadline: a dead mount must not hold a thread of ours. */
export interface MountProbe {
  /** @param targetId whose mount it is: at most one hung child is left behind for a target */
  probe(targetId: string, mountPath: string, deadlineMs: number): Promise<ProbeResult>;
}

export const MOUNT_PROBE = Symbol('MountProbe');
