import { type QueryRunner } from 'typeorm';
import { type TargetKey } from './target-key';

const OF_TARGET = 'host = ? AND backup_target_id = ?';

/**
 * The statements on those that wait for the lease of one target. The target's row must be locked: that gives them
 * their order.
 */
export class LeaseWaiterStatements {
  constructor(
    private readonly runner: QueryRunner,
    private readonly key: TargetKey,
  ) {}

  /** The token of the one that has waited longest and still asks; null: nobody waits. */
  async first(): Promise<string | null> {
    const rows = (await this.runner.query(
      `SELECT token FROM lease_waiters WHERE ${OF_TARGET} AND expires_at > NOW(6) ORDER BY id LIMIT 1`,
      this.#key,
    )) as { token: string }[];
    return rows.at(0)?.token ?? null;
  }

  /** Takes the last place, or keeps the one that `token` has; it lasts for `placeMs` from now. */
  async wait(token: string, owner: string, placeMs: number): Promise<void> {
    await this.runner.query(
      `INSERT INTO lease_waiters (host, backup_target_id, token, owner, waits_since, expires_at)
       VALUES (?, ?, ?, ?, NOW(6), NOW(6) + INTERVAL ? MICROSECOND)
       ON DUPLICATE KEY UPDATE expires_at = VALUES(expires_at)`,
      [...this.#key, token, owner, placeMs * 1000],
    );
  }

  /** Gives the place of `token` back, with those whose process asks no more. */
  async leave(token: string): Promise<void> {
    await this.runner.query(
      `DELETE FROM lease_waiters WHERE ${OF_TARGET} AND (token = ? OR expires_at <= NOW(6))`,
      [...this.#key, token],
    );
  }

  get #key(): [string, string] {
    return [this.key.host, this.key.targetId];
  }
}
