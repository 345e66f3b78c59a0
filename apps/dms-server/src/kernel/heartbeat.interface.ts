/**
 * - `answers`: the daemon answered;
 * - `dead`: the kernel did so in its stead: the connection is cut (ENOTCONN, …);
 * - `silent`: nothing came within the deadline, or an earlier question hangs still.
 */
export type HeartbeatAnswer = 'answers' | 'dead' | 'silent';

/**
 * Asks whether the daemon of a FUSE mount still turns, always in a child process with a deadline. Nothing is read of the
 * target: a bucket that is slow, or away, makes no daemon silent.
 */
export interface Heartbeat {
  /** @param targetId whose mount it is: at most one question that hangs is left behind for a target */
  ask(targetId: string, mountPath: string, deadlineMs: number): Promise<HeartbeatAnswer>;
}

export const HEARTBEAT = Symbol('Heartbeat');
