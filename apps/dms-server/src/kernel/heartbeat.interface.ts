/**
 * - `answers`: the daemon answered;
 * - `dead`: the kernel did so in its stead: the connection is cut (ENOTCONN, …);
 * - `silent`: nothing came within the deadline, or an earlier question hangs still;
 * - `withdrawn`: the question was taken back before an answer came.
 */
export type HeartbeatAnswer = 'answers' | 'dead' | 'silent' | 'withdrawn';

/**
 * Asks whether the daemon of a FUSE mount still turns, always in a child process with a deadline. Nothing is read of the
 * target: a bucket that is slow, or away, makes no daemon silent.
 */
export interface Heartbeat {
  /** @param targetId whose mount it is: at most one question that hangs is left behind for a target */
  ask(targetId: string, mountPath: string, deadlineMs: number): Promise<HeartbeatAnswer>;
  /**
   * Takes back what is being asked of a target, and resolves when who asked has let go of the mount, as far as it does:
   * a question that waits for its answer keeps the mount busy. Never rejects.
   */
  withdraw(targetId: string): Promise<void>;
}

/**
 * The name under which the child of a question is recorded. It is not the target's own: a question changes nothing, so one
 * that hangs must not keep the target's commands from being settled. No id of a target holds a slash.
 */
export function heartbeatOwner(targetId: string): string {
  return `heartbeat/${targetId}`;
}

export const HEARTBEAT = Symbol('Heartbeat');
