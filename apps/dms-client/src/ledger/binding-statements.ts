import { type BindingState, type LegacyHolderView } from '@app/contracts';
import { type QueryRunner } from 'typeorm';
import { type ChangeList } from './changes';
import { type ObservedChanges } from './observed-changes';
import { type TargetKey } from './target-key';

/** A binding as the ledger has it; `state` already takes what Python programs wrote into account. */
export interface BindingRow {
  readonly id: number;
  readonly jobid: number;
  readonly state: BindingState;
  readonly operationId: string | null;
  readonly projectId: string | null;
}

export interface NewBinding {
  readonly jobid: number;
  readonly operationId: string;
  readonly projectId: string | null;
  readonly holdId: string | null;
  /** Seconds within which the hold is to be renewed; null: it lasts until the unmount. */
  readonly leaseS: number | null;
}

export interface BindingCounts {
  readonly claimed: number;
  readonly held: number;
}

/** `mounted` is what Python programs write, so it decides what is held; `state` tells the others apart. */
export function stateExpression(prefix: '' | `${string}.` = ''): string {
  const state = `${prefix}state`;
  return `CASE WHEN ${prefix}mounted THEN 'held' WHEN ${state} IN ('claimed', 'lost') THEN ${state} ELSE 'released' END`;
}

const OF_TARGET = 'host = ? AND backup_target_id = ?';
const NOT_DELETED = 'NOT COALESCE(deleted, FALSE)';

/** For people to see, and for older versions. Never made shorter; null where the hold has none. */
const LONGER_LEASE = `IF(lease_s IS NULL, NULL,
  GREATEST(COALESCE(lease_expires_at, NOW(6)), NOW(6) + INTERVAL lease_s SECOND))`;
/**
 * For an upsert, before `mounted` is changed. Of several holds of one job the most lasting decides: one without a lease
 * makes the binding last until the unmount.
 */
const MERGED_LEASE = `lease_s = IF(mounted AND lease_expires_at IS NULL, NULL, VALUES(lease_s)),
  lease_expires_at = IF(mounted AND lease_s IS NOT NULL, lease_expires_at, NULL)`;

/** The holds of Python programs, by job: when each was written last, by the database's clock, to be compared only. */
export type PythonHolds = ReadonlyMap<number, string | null>;

/** What a renewal of the lease of a binding changes. Older versions change the time alone. */
export const BINDING_LEASE_VALUE = "CONCAT(lease_renewals, '/', lease_expires_at)";

/**
 * What changes with whatever its job or a process does about a claim, and with the end of its operation, from which on the
 * job can find its answer; `b` is the claim's row.
 */
export const CLAIM_VALUE = `CONCAT(COALESCE(b.operation_id, ''), '/', COALESCE(b.updated_at, ''), '/',
  COALESCE((SELECT ended.completed_at FROM mount_operations ended WHERE ended.id = b.operation_id), ''))`;

export interface ClaimRow {
  readonly id: number;
  readonly value: string;
}

/** True if nothing about the claim has changed for `ttlMs`, as far as this process has observed. */
export function isUnanswered({ id, value }: ClaimRow, ttlMs: number, observed: ObservedChanges): boolean {
  return observed.isStale(`claim ${id}`, value, ttlMs);
}

/** The statements on the bindings of one target. The target's row must be locked: bindings are counted under it. */
export class BindingStatements {
  constructor(
    private readonly runner: QueryRunner,
    private readonly key: TargetKey,
    private readonly changes: ChangeList,
    private readonly observed: ObservedChanges,
  ) {}

  /** Claimed and held bindings: the reference count, which is never stored. */
  async count(): Promise<BindingCounts> {
    const [row] = (await this.runner.query(
      `SELECT COALESCE(SUM(COALESCE(mounted, 0) <> 0), 0) AS held, COALESCE(SUM(NOT COALESCE(mounted, FALSE) AND state = 'claimed'), 0) AS claimed
       FROM backup_target_mount_ledger WHERE ${OF_TARGET} AND ${NOT_DELETED}`,
      this.#key,
    )) as { held: unknown; claimed: unknown }[];
    return { held: Number(row.held), claimed: Number(row.claimed) };
  }

  /** The bindings of the given jobs, by job id. */
  async ofJobs(jobids: readonly number[]): Promise<Map<number, BindingRow>> {
    if (jobids.length === 0) return new Map();
    const rows = (await this.runner.query(
      `SELECT id, jobid, ${stateExpression()} AS state, operation_id AS operationId, project_id AS projectId
       FROM backup_target_mount_ledger WHERE ${OF_TARGET} AND ${NOT_DELETED} AND jobid IN (?)`,
      [...this.#key, jobids],
    )) as BindingRow[];
    return new Map(rows.map((row) => [Number(row.jobid), { ...row, jobid: Number(row.jobid) }]));
  }

  /** Writes claims; a binding that is held stays held, and gets the new operation. */
  async claim(bindings: readonly NewBinding[]): Promise<void> {
    await this.#upsert(bindings, false, `state = IF(mounted, state, 'claimed')`);
  }

  /** Writes bindings that are held at once, because the target is mounted. */
  async hold(bindings: readonly NewBinding[]): Promise<void> {
    await this.#upsert(bindings, true, `mounted = TRUE, state = 'held'`);
    await this.grant(bindings.filter(({ leaseS }) => leaseS !== null).map(({ jobid }) => jobid));
  }

  /** Makes the claims of the given jobs held; their leases begin now. */
  async grant(jobids: readonly number[]): Promise<void> {
    if (jobids.length === 0) return;
    await this.runner.query(
      `UPDATE backup_target_mount_ledger SET mounted = TRUE, state = 'held', lease_expires_at = ${LONGER_LEASE},
         lease_renewals = lease_renewals + 1
       WHERE ${OF_TARGET} AND jobid IN (?)`,
      [...this.#key, jobids],
    );
  }

  /** Gives the bindings of the given jobs back, with all their named holds. */
  async release(jobids: readonly number[]): Promise<void> {
    if (jobids.length === 0) return;
    // Of several it has to be asked which of them hold anything; what one holds shows by whether it changes.
    const holders = jobids.length > 1 ? await this.#unreleased(jobids) : jobids;
    const { changedRows } = (await this.runner.query(
      `UPDATE backup_target_mount_ledger SET mounted = FALSE, state = 'released', lease_expires_at = NULL
       WHERE ${OF_TARGET} AND jobid IN (?)`,
      [...this.#key, jobids],
    )) as { changedRows: number };
    if (changedRows > 0) this.changes.jobs('released', holders);
    await this.runner.query(`DELETE FROM binding_holds WHERE ${OF_TARGET} AND jobid IN (?)`, [
      ...this.#key,
      jobids,
    ]);
  }

  /** Takes the claims (not the held ones) of the given jobs back, each only if it is still of that operation. */
  async withdraw(claims: readonly { jobid: number; operationId: string }[]): Promise<void> {
    if (claims.length === 0) return;
    await this.runner.query(
      `UPDATE backup_target_mount_ledger SET state = 'released'
       WHERE ${OF_TARGET} AND NOT COALESCE(mounted, FALSE) AND state = 'claimed' AND operation_id IN (?)`,
      [...this.#key, claims.map(({ operationId }) => operationId)],
    );
  }

  /** Takes back all claims of the target. */
  async withdrawAll(): Promise<void> {
    await this.runner.query(
      `UPDATE backup_target_mount_ledger SET state = 'released'
       WHERE ${OF_TARGET} AND NOT COALESCE(mounted, FALSE) AND state = 'claimed'`,
      this.#key,
    );
  }

  /**
   * Takes back claims whose operation has ended, and that nothing has changed for `ttlMs`, as far as this process has
   * observed: their job never got the answer.
   */
  async withdrawUnanswered(ttlMs: number): Promise<void> {
    const rows = (await this.runner.query(
      `SELECT b.id, b.jobid, ${CLAIM_VALUE} AS value FROM backup_target_mount_ledger b
         JOIN mount_operations o ON o.id = b.operation_id
       WHERE b.host = ? AND b.backup_target_id = ? AND NOT COALESCE(b.mounted, FALSE) AND b.state = 'claimed'
         AND o.status IN ('success', 'error')`,
      this.#key,
    )) as ClaimRow[];
    const unanswered = rows.filter((row) => isUnanswered(row, ttlMs, this.observed)).map(({ id }) => id);
    if (unanswered.length === 0) return;
    await this.runner.query("UPDATE backup_target_mount_ledger SET state = 'released' WHERE id IN (?)", [
      unanswered,
    ]);
  }

  /** What Python programs hold: by job, what tells their last write from a later one. */
  async pythonHolds(): Promise<PythonHolds> {
    const rows = (await this.runner.query(
      `SELECT jobid, CAST(written_at AS CHAR) AS writtenAt FROM backup_target_mount_ledger
       WHERE ${OF_TARGET} AND ${NOT_DELETED} AND mounted AND operation_id IS NULL`,
      this.#key,
    )) as { jobid: unknown; writtenAt: string | null }[];
    return new Map(rows.map(({ jobid, writtenAt }) => [Number(jobid), writtenAt]));
  }

  /**
   * What was held is lost: its mount broke, vanished, or is another one now. Returns the jobs concerned.
   *
   * @param seen what Python programs held when the node was asked: what they have written since is let be. Null: all
   *   that is held is lost
   */
  async lose(seen: PythonHolds | null = null): Promise<number[]> {
    const rows = (await this.runner.query(
      `SELECT jobid, operation_id AS operationId, CAST(written_at AS CHAR) AS writtenAt
       FROM backup_target_mount_ledger WHERE ${OF_TARGET} AND ${NOT_DELETED} AND mounted`,
      this.#key,
    )) as { jobid: unknown; operationId: string | null; writtenAt: string | null }[];
    const jobids = rows
      .filter(
        ({ jobid, operationId, writtenAt }) =>
          seen === null || operationId !== null || seen.get(Number(jobid)) === writtenAt,
      )
      .map(({ jobid }) => Number(jobid));
    if (jobids.length > 0) {
      await this.runner.query(
        `UPDATE backup_target_mount_ledger SET mounted = FALSE, state = 'lost'
         WHERE ${OF_TARGET} AND ${NOT_DELETED} AND mounted AND jobid IN (?)`,
        [...this.#key, jobids],
      );
    }
    this.changes.jobs('lost', jobids);
    return jobids;
  }

  /**
   * The jobs of these holders that hold the target no more, and whose rows were written after the node had mounted it
   * for them: an older row says nothing of a client that is about to write its hold.
   *
   * @param now the database's time, after the node's answer came
   */
  async endedSince(holders: readonly LegacyHolderView[], now: string): Promise<number[]> {
    const named = holders.filter(({ jobid }) => jobid !== null);
    if (named.length === 0) return [];
    const since = named.map(
      () => '(jobid = ? AND written_at > CAST(? AS DATETIME(6)) - INTERVAL ? MICROSECOND)',
    );
    const rows = (await this.runner.query(
      `SELECT jobid FROM backup_target_mount_ledger WHERE ${OF_TARGET} AND ${NOT_DELETED}
         AND NOT COALESCE(mounted, FALSE) AND COALESCE(state, 'released') <> 'claimed' AND (${since.join(' OR ')})`,
      [...this.#key, ...named.flatMap(({ jobid, age_ms }) => [jobid, now, age_ms * 1000])],
    )) as { jobid: unknown }[];
    return rows.map(({ jobid }) => Number(jobid));
  }

  /** The jobs that have claimed or hold the target. */
  async holders(): Promise<number[]> {
    const rows = (await this.runner.query(
      `SELECT jobid FROM backup_target_mount_ledger
       WHERE ${OF_TARGET} AND ${NOT_DELETED} AND (mounted OR state = 'claimed') ORDER BY jobid`,
      this.#key,
    )) as { jobid: unknown }[];
    return rows.map(({ jobid }) => Number(jobid));
  }

  /**
   * Takes the bindings of the given jobs out of the lists; their rows stay for the history. What is claimed or held is
   * left as it is.
   *
   * @returns how many were taken out
   */
  async remove(jobids: readonly number[]): Promise<number> {
    if (jobids.length === 0) return 0;
    const { affectedRows } = (await this.runner.query(
      `UPDATE backup_target_mount_ledger SET deleted = TRUE, deleted_at = NOW(6)
       WHERE ${OF_TARGET} AND ${NOT_DELETED} AND jobid IN (?)
         AND NOT COALESCE(mounted, FALSE) AND COALESCE(state, 'released') <> 'claimed'`,
      [...this.#key, jobids],
    )) as { affectedRows: number };
    return affectedRows;
  }

  /** Those of the given jobs whose binding was not changed for `ageMs`, by the database's clock. */
  async unchangedFor(jobids: readonly number[], ageMs: number): Promise<number[]> {
    if (jobids.length === 0) return [];
    const rows = (await this.runner.query(
      `SELECT jobid FROM backup_target_mount_ledger
       WHERE ${OF_TARGET} AND ${NOT_DELETED} AND jobid IN (?)
         AND COALESCE(updated_at, created_at) < NOW(6) - INTERVAL ? MICROSECOND`,
      [...this.#key, jobids, Math.round(ageMs * 1000)],
    )) as { jobid: unknown }[];
    return rows.map(({ jobid }) => Number(jobid));
  }

  /**
   * Makes the lease of a held binding end later; one that has none stays without.
   *
   * @param leaseS seconds from now; null: as many as were asked for last
   */
  async renew(jobid: number, leaseS: number | null): Promise<void> {
    await this.runner.query(
      `UPDATE backup_target_mount_ledger SET lease_s = COALESCE(?, lease_s), lease_expires_at = ${LONGER_LEASE},
         lease_renewals = lease_renewals + 1
       WHERE ${OF_TARGET} AND jobid = ? AND mounted AND lease_expires_at IS NOT NULL`,
      [leaseS, ...this.#key, jobid],
    );
  }

  /** What a renewal of the job's lease changes; null where it holds the target not, or without a lease. */
  async leaseValue(jobid: number): Promise<string | null> {
    const [row] = (await this.runner.query(
      `SELECT ${BINDING_LEASE_VALUE} AS value FROM backup_target_mount_ledger
       WHERE ${OF_TARGET} AND ${NOT_DELETED} AND jobid = ? AND mounted AND lease_expires_at IS NOT NULL`,
      [...this.#key, jobid],
    )) as ({ value: string } | undefined)[];
    return row?.value ?? null;
  }

  /** Notes that the job holds the target under this name, too. */
  async addHold(jobid: number, holdId: string, operationId: string): Promise<void> {
    await this.runner.query(
      `INSERT INTO binding_holds (host, backup_target_id, jobid, hold_id, operation_id) VALUES (?, ?, ?, ?, ?)
       ON DUPLICATE KEY UPDATE operation_id = VALUES(operation_id)`,
      [...this.#key, jobid, holdId, operationId],
    );
  }

  /**
   * Ends one named hold of a job.
   *
   * @returns `unknown` if the job has no such hold, else whether others of its holds remain
   */
  async endHold(jobid: number, holdId: string): Promise<'unknown' | 'others remain' | 'last'> {
    const result = (await this.runner.query(
      `DELETE FROM binding_holds WHERE ${OF_TARGET} AND jobid = ? AND hold_id = ?`,
      [...this.#key, jobid, holdId],
    )) as { affectedRows: number };
    if (result.affectedRows === 0) return 'unknown';
    const [{ holds }] = (await this.runner.query(
      `SELECT COUNT(*) AS holds FROM binding_holds WHERE ${OF_TARGET} AND jobid = ?`,
      [...this.#key, jobid],
    )) as { holds: unknown }[];
    return Number(holds) > 0 ? 'others remain' : 'last';
  }

  async #upsert(bindings: readonly NewBinding[], held: boolean, change: string): Promise<void> {
    if (bindings.length === 0) return;
    const state = held ? 'held' : 'claimed';
    await this.runner.query(
      `INSERT INTO backup_target_mount_ledger
         (host, backup_target_id, jobid, mounted, deleted, state, operation_id, project_id, hold_id, lease_s) VALUES ?
       ON DUPLICATE KEY UPDATE ${MERGED_LEASE}, ${change}, deleted = FALSE, operation_id = VALUES(operation_id),
         project_id = VALUES(project_id), hold_id = VALUES(hold_id)`,
      [
        bindings.map((b) => [
          ...this.#key,
          b.jobid,
          held,
          false,
          state,
          b.operationId,
          b.projectId,
          b.holdId,
          b.leaseS,
        ]),
      ],
    );
  }

  async #unreleased(jobids: readonly number[]): Promise<number[]> {
    const bindings = await this.ofJobs(jobids);
    return jobids.filter((jobid) => (bindings.get(jobid)?.state ?? 'released') !== 'released');
  }

  get #key(): [string, string] {
    return [this.key.host, this.key.targetId];
  }
}
