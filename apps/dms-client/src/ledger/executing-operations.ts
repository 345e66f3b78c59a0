import { type DataSource } from 'typeorm';
import { Conditions, queryLedger } from '../queries/query-ledger';
import { type ObservedChanges } from './observed-changes';
import { isAbandoned } from './operation-statements';
import { keyText, type TargetKey } from './target-key';

/** A process renews its operations every few seconds; one that missed this many milliseconds is gone. */
export const ABANDONED_AFTER_MS = 15_000;
/** Looked at together, the oldest first. */
const LIMIT = 5_000;

/** Targets with operations that have not ended. */
export interface ExecutingTargets {
  /** Targets, as {@link keyText}, on whose requests a living process works: it takes the mount away itself. */
  readonly workedOn: ReadonlySet<string>;
  /** Targets with operations whose process is gone. */
  readonly abandoned: readonly TargetKey[];
}

interface ExecutingRow {
  readonly id: string;
  readonly host: string;
  readonly targetId: string;
  readonly renewedAt: string;
}

/**
 * Reads the operations that have not ended, and tells those of living processes from others, as far as this process has
 * observed.
 *
 * @param host the operations of one node; absent: all
 * @throws DmsError LEDGER_UNAVAILABLE
 */
export async function executingTargets(
  dataSource: DataSource,
  observed: ObservedChanges,
  host?: string,
): Promise<ExecutingTargets> {
  const where = new Conditions().addIf('host = ?', host);
  const rows = await queryLedger<ExecutingRow>(
    dataSource,
    `SELECT id, host, backup_target_id AS targetId, CAST(renewed_at AS CHAR) AS renewedAt FROM mount_operations
     WHERE status IN ('pending', 'executing') AND ${String(where)} ORDER BY created_at LIMIT ?`,
    [...where.parameters, LIMIT],
  );
  const workedOn = new Set<string>();
  const abandoned: TargetKey[] = [];
  for (const row of rows) {
    const { host, targetId } = row;
    if (isAbandoned(row, ABANDONED_AFTER_MS, observed)) abandoned.push({ host, targetId });
    else workedOn.add(keyText({ host, targetId }));
  }
  return { workedOn, abandoned };
}
