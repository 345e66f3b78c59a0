import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { HELLO_INTERVAL_MS, nodeQueue } from '@app/contracts';
import { NodeViewsService } from './node-views.service';

/** A node that was connected anew has said hello by then. */
const HELLO_WAIT_MS = HELLO_INTERVAL_MS + 1_000;
const POLL_MS = 50;
/** Two names of the node's own queue, and `dms.<node>`. */
const MAX_QUEUES = 3;

/** Finds the queue by which a node takes commands. */
@Injectable()
export class CommandRoutes {
  constructor(
    @Inject(NodeViewsService)
    private readonly views: Pick<NodeViewsService, 'commandQueue' | 'silentMs' | 'hasListened'>,
  ) {}

  /**
   * The queue to try next: the one that the newest hello names, then `dms.<node>` (older versions, Python servers, and a
   * process that has heard no hello yet), then the one of a hello that is on its way. A node that was connected anew has a
   * new queue, and its hello comes with it.
   *
   * @param tried queues that returned the command as unroutable: it was certainly not carried out
   * @param deadline by performance.now()
   * @returns null if the node cannot be reached
   */
  async next(host: string, tried: ReadonlySet<string>, deadline: number): Promise<string | null> {
    if (tried.size >= MAX_QUEUES) return null;
    const newest = this.#untried(host, tried);
    if (newest !== null) return newest;
    const common = nodeQueue(host);
    if (!tried.has(common)) return common;
    const silentMs = this.views.silentMs(host);
    // The next hello of a node that lives is due; of one that was not heard it may come only if we have not listened.
    const waitMs = Number.isFinite(silentMs)
      ? HELLO_WAIT_MS - silentMs
      : this.views.hasListened
        ? 0
        : HELLO_WAIT_MS;
    const end = Math.min(performance.now() + waitMs, deadline);
    while (performance.now() < end) {
      await sleep(POLL_MS);
      const queue = this.#untried(host, tried);
      if (queue !== null) return queue;
    }
    return null;
  }

  /** The queue of the node's own that has taken the place of `queue`; null: none has, or `queue` is `dms.<node>`, which stays. */
  successorOf(host: string, queue: string): string | null {
    return queue === nodeQueue(host) ? null : this.#untried(host, new Set([queue]));
  }

  #untried(host: string, tried: ReadonlySet<string>): string | null {
    const queue = this.views.commandQueue(host);
    return queue === null || tried.has(queue) ? null : queue;
  }
}
