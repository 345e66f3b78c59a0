/**
 * - `answers`: a readdir of the mount was answered; `slowly`: not in time, but the server went on replying;
 * - `dead`: it failed with an errno that means a corrupted mount (ENOTCONN, ESTALE, EIO, …);
 * - `silent`: no answer within the deadline; `notAsked`: the time was over, or an earlier probe hangs;
 * - `withdrawn`: the probe was ended, or not begun, because the mount is being taken away.
 */
export type ProbeResult =
  | { kind: 'answers'; slowly?: true }
  | { kind: 'dead'; reason: string }
  | { kind: 'silent'; notAsked?: true }
  | { kind: 'withdrawn' };

/** Looks into a mount, always in a child process with a deadline: a dead mount must not hold a thread of ours. */
export interface MountProbe {
  /** @param targetId whose mount it is: at most one hung child is left behind for a target */
  probe(targetId: string, mountPath: string, deadlineMs: number): Promise<ProbeResult>;
  /**
   * Ends a probe of the target that runs, starts none while `work` runs, and returns what `work` returns. A probe keeps
   * the mount busy. Ending it takes 2 s at most; one that hangs in the kernel stays, see {@link probeOwner}.
   */
  keepOut<T>(targetId: string, work: () => Promise<T>): Promise<T>;
}

/**
 * The name under which the child of a probe is recorded. It is not the target's own: a probe changes nothing, so one that
 * hangs must not keep the target's commands from being settled. No id of a target holds a slash.
 */
export function probeOwner(targetId: string): string {
  return `probe/${targetId}`;
}

export const MOUNT_PROBE = Symbol('MountProbe');
