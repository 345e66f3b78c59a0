import { type QueryRunner } from 'typeorm';
import { type ObservedChanges } from './observed-changes';
import { type TargetKey } from './target-key';

const OF_TARGET = 'host = ? AND backup_target_id = ?';

/** How long a place in the queue outlasts the last time that its process asked, in milliseconds. */
const PLACE_MS = 2_000;
/** Places that are looked at together. Those of processes that ask no more are removed, so that others come up. */
const LOOKED_AT = 20;

export interface WaiterRow {
  readonly token: string;
  /** What asking again changes. Older versions change the time alone. */
  readonly value: string;
}

/** Those that wait for the lease of a target, the first ones in their order; parameters: host and target id. */
export const SELECT_WAITERS = `SELECT token, CONCAT(asks, '/', expires_at) AS value FROM lease_waiters
  WHERE ${OF_TARGET} ORDER BY id LIMIT ${LOOKED_AT}`;

/** Sorts those that still ask from those whose process asks no more, as far as this process has observed. */
export function livingWaiters(
  waiters: readonly WaiterRow[],
  observed: ObservedChanges,
): { readonly living: string[]; readonly gone: string[] } {
  const gone = waiters.filter(({ token, value }) => observed.isStale(`place ${token}`, value, PLACE_MS));
  const isGone = new Set(gone.map(({ token }) => token));
  return {
    living: waiters.map(({ token }) => token).filter((token) => !isGone.has(token)),
    gone: [...isGone],
  };
}

/**
 * The statements on those that wait for the lease of one target. The target's row must be locked: that gives them
 * their order.
 */
export class LeaseWaiterStatements {
  #gone: string[] = [];

  constructor(
    private readonly runner: QueryRunner,
    private readonly key: TargetKey,
    private readonly observed: ObservedChanges,
  ) {}

  /** The token of the one that has waited longest and still asks; null: nobody waits. */
  async first(): Promise<string | null> {
    const rows = (await this.runner.query(SELECT_WAITERS, this.#key)) as WaiterRow[];
    const { living, gone } = livingWaiters(rows, this.observed);
    this.#gone = gone;
    return living.at(0) ?? null;
  }

  /** {@link LeaseWaiterStatements.first} found places of processes that ask no more; {@link LeaseWaiterStatements.leave} removes them. */
  get hasGone(): boolean {
    return this.#gone.length > 0;
  }

  /** Takes the last place, or keeps the one that `token` has, for two seconds from now. */
  async wait(token: string, owner: string): Promise<void> {
    await this.runner.query(
      `INSERT INTO lease_waiters (host, backup_target_id, token, owner, waits_since, expires_at)
       VALUES (?, ?, ?, ?, NOW(6), NOW(6) + INTERVAL ? MICROSECOND)
       ON DUPLICATE KEY UPDATE asks = asks + 1, expires_at = VALUES(expires_at)`,
      [...this.#key, token, owner, PLACE_MS * 1000],
    );
  }

  /** Gives the place of `token` back, with those whose process asks no more. */
  async leave(token: string): Promise<void> {
    await this.runner.query(`DELETE FROM lease_waiters WHERE ${OF_TARGET} AND token IN (?)`, [
      ...this.#key,
      [token, ...this.#gone],
    ]);
  }

  get #key(): [string, string] {
    return [this.key.host, this.key.targetId];
  }
}
