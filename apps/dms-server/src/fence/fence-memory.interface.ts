import { type TargetRecord } from './target-record';

/**
 * The node's memory of epochs and mounts. It lives as long as the node is up, also across restarts of dms-server;
 * a memory that was lost shows by another incarnation.
 */
export interface FenceMemory {
  /** Random id of this memory; a new one whenever nothing could be remembered. */
  readonly incarnation: string;
  readonly bootId: string;
  /** Null where nothing was heard of the target. */
  get(targetId: string): TargetRecord | null;
  all(): readonly TargetRecord[];
  /**
   * Remembers a record. When it returns, a restarted server will find it.
   *
   * @throws DmsError INTERNAL where it cannot be written: nothing may be done then
   */
  save(record: TargetRecord): void;
  /** What is wrong with the memory, for the health check; null where nothing is. */
  problem(): string | null;
}

export const FENCE_MEMORY = Symbol('FenceMemory');
