import { type TargetRecord } from './target-record';

/**
 * The node's memory of epochs and mounts. It lives as long as the node is up, also across restarts of dms-server;
 * a memory that was lost shows by another incarnation.
 */
export interface FenceMemory {
  /** Random id of this memory, to which the node's keys belong; a new one whenever nothing could be remembered. */
  readonly memoryId: string;
  /** What commands are meant for: the id of the memory at first, and a new one whenever another ledger takes over or
   * targets are forgotten. */
  readonly incarnation: string;
  /** The ledger whose commands were obeyed last; null where none was, or where an operator had it forgotten. */
  readonly ledger: string | null;
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
  /**
   * Remembers a first ledger.
   *
   * @throws DmsError INTERNAL where it cannot be written: nothing may be done for it then
   */
  takeLedger(ledger: string): void;
  /**
   * Remembers another ledger, or none, under a new incarnation: whatever anybody sent until now is overtaken.
   *
   * @throws DmsError INTERNAL where it cannot be written: all is as it was
   */
  changeLedger(ledger: string | null): void;
  /** Whether there is no room for a further target. */
  readonly isFull: boolean;
  /**
   * Forgets the targets of which nothing is left, under a new incarnation: whatever anybody sent for them until now is
   * overtaken. To be called while no command is under way.
   *
   * @returns false where too few could be forgotten: all is as it was
   * @throws DmsError INTERNAL where it cannot be written: all is as it was
   */
  makeRoom(): boolean;
  /** What is wrong with the memory, for the health check; null where nothing is. */
  problem(): string | null;
}

export const FENCE_MEMORY = Symbol('FenceMemory');
