import { Injectable } from '@nestjs/common';

/** The queues by which commands reach this node at the moment; its hellos tell them. */
@Injectable()
export class WaysIn {
  /** The node's own queue on the present connection; null while there is none. */
  commandQueue: string | null = null;
  /** Why the node does not consume `dms.<node>`; null while it does, or is about to. */
  legacyQueueProblem: string | null = null;
}
