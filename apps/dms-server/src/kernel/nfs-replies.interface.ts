/** How a question ended, and whether the server was answering when its time was over. */
export interface Asked<T> {
  readonly result: T;
  /** True if a reply of the server came for this mount after the first quarter of the time. */
  readonly isAnswering: () => Promise<boolean>;
}

/**
 * Tells a slow NFS server from a silent one. A question to a mount takes several calls, so that a server that takes
 * seconds for each may not be through in time, although it answers all of them.
 */
export interface NfsReplies {
  /** Asks `question`, which is to end within `withinMs`, and counts the replies of the server meanwhile. */
  during<T>(mountPath: string, withinMs: number, question: () => Promise<T>): Promise<Asked<T>>;
}

export const NFS_REPLIES = Symbol('NfsReplies');

/**
 * Replies before this share of the time do not count: a server that replied at once and hangs since is silent. One that
 * takes longer than that for a reply is slow.
 */
export const FIRST_SHARE = 0.25;
