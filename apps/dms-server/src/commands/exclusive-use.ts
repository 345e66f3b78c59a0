const HEARTBEAT_MS = 5_000;
/** After a cut the broker may keep the old connection for two heartbeats. */
const WAIT_MS = 2.5 * HEARTBEAT_MS;
/** The brokers of a cluster notice after a minute (net_ticktime) that one of them, which has the old connection, is frozen. */
const WAIT_SERVING_MS = 90_000;

/** Tells when a queue that another connection has is no remainder of our own connection, but another server's. */
export class ExclusiveUse {
  #since: number | null = null;

  /** @param hasServed whether this server has served commands before: a cut connection is no second server then */
  constructor(
    private readonly node: string,
    private readonly hasServed: () => boolean,
  ) {}

  /** Returns the error to give up with, or null while it is worth to wait. */
  met(queue: string): Error | null {
    this.#since ??= performance.now();
    if (performance.now() - this.#since < (this.hasServed() ? WAIT_SERVING_MS : WAIT_MS)) return null;
    return new Error(
      `Another dms-server has the queue ${queue}: two nodes must not have the same DMS_NODE_ID ("${this.node}"). ` +
        'Stop the other one, or give this node another DMS_NODE_ID',
    );
  }

  /** The queue was free, or it cannot be said. */
  over(): void {
    this.#since = null;
  }

  get isMet(): boolean {
    return this.#since !== null;
  }
}
