import { Injectable } from '@nestjs/common';
import { type MountState, type NodeState } from '@app/contracts';
import { DataSource } from 'typeorm';
import { executingTargets } from '../ledger/executing-operations';
import { ObservedChanges } from '../ledger/observed-changes';
import { COUNTED } from '../ledger/target-conditions';
import { keyText } from '../ledger/target-key';
import { Conditions, queryLedger } from '../queries/query-ledger';

/** Twice the interval at which an unchanged node is written to the ledger. */
const FRESH_SECONDS = 60;
/** Held targets without a row that are told at once; the rest is told when these have theirs. */
export const UNWRITTEN_LIMIT = 200;

/** What the ledger knows of a node. */
export interface NodeFacts {
  readonly host: string;
  readonly state: NodeState;
  readonly incarnation: string | null;
  readonly boot_id: string | null;
  readonly protocol: number | null;
  readonly version: string | null;
  /** JSON array of directories. */
  readonly bases: string | null;
  readonly last_seen: Date | null;
  readonly key_id: string | null;
  readonly refused_key_id: string | null;
  /** 1 or 0; null as 0. */
  readonly signs_replies: number | null;
  /** The ledger of which it has something mounted, as it said half a minute ago or later. */
  readonly served_ledger: string | null;
  /** It did not consume `dms.<node>` by the hello that was written last; 1 or 0, null as 0. */
  readonly legacy_queue_lost: number | null;
  /** What kept the node from carrying out commands, by the same hello; null: nothing. */
  readonly problem: string | null;
  /** This ledger. */
  readonly ledger: string | null;
  /** Written within the last minute, by the database's clock; 1 or 0. */
  readonly fresh: number | null;
}

/** What the ledger knows of a mount. */
export interface LedgerMount {
  readonly targetId: string;
  /** Null: the ledger has no row for the target, only bindings that Python programs have written. */
  readonly state: MountState | null;
  readonly epoch: number;
  readonly mountPath: string | null;
  readonly mntId: number | null;
  /** The node's memory for which the mount was made. */
  readonly incarnation: string | null;
  /** Bindings that are held. */
  readonly held: number;
  /** Nobody has claimed or holds it, and no living process works on a request for it. */
  readonly unheld: boolean;
  /** What went wrong last; null where all is well. */
  readonly problem: string | null;
}

/** Reads what the ledger knows of nodes and their mounts. */
@Injectable()
export class NodeFactsRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly observed: ObservedChanges,
  ) {}

  /** All nodes, or the one of that name. */
  async nodes(host?: string): Promise<NodeFacts[]> {
    const where = new Conditions().addIf('host = ?', host);
    return queryLedger<NodeFacts>(
      this.dataSource,
      `SELECT host, state, incarnation, boot_id, protocol, version, bases, last_seen,
         JSON_UNQUOTE(JSON_EXTRACT(pinned_keys, '$.key_id')) AS key_id, refused_key_id, served_ledger, legacy_queue_lost, problem,
         JSON_UNQUOTE(JSON_EXTRACT(pinned_keys, '$.signs_replies')) = 'true' AS signs_replies,
         (SELECT ledger_id FROM ledger_identity) AS ledger,
         last_seen > NOW(6) - INTERVAL ? SECOND AS fresh
       FROM nodes WHERE ${String(where)} ORDER BY host`,
      [FRESH_SECONDS, ...where.parameters],
    );
  }

  /** Id of this ledger; null: somebody has removed it. */
  async ledger(): Promise<string | null> {
    const sql = 'SELECT ledger_id AS id FROM ledger_identity';
    return (await queryLedger<{ id: string }>(this.dataSource, sql, [])).at(0)?.id ?? null;
  }

  /**
   * The mounts of a node, by target id. Of the targets that are held and have no row, which happens where Python programs
   * wrote the bindings, the first ones.
   */
  async mounts(host: string): Promise<Map<string, LedgerMount>> {
    return new Map(
      [...(await this.#unwritten(host)), ...(await this.#written(host))].map((row) => [row.targetId, row]),
    );
  }

  async #written(host: string): Promise<LedgerMount[]> {
    const rows = await queryLedger<LedgerMount>(
      this.dataSource,
      `SELECT backup_target_id AS targetId, state, epoch, mount_path AS mountPath, mnt_id AS mntId,
         incarnation, (SELECT COUNT(*) FROM backup_target_mount_ledger b WHERE b.host = t.host
           AND b.backup_target_id = t.backup_target_id AND b.mounted AND NOT COALESCE(b.deleted, FALSE)) AS held,
         NOT EXISTS (${COUNTED}) AS unheld, error_msg AS problem
       FROM target_mounts t WHERE host = ?`,
      [host],
    );
    const { workedOn } = await executingTargets(this.dataSource, this.observed, host);
    return rows.map((row) => ({
      ...row,
      epoch: Number(row.epoch),
      mntId: row.mntId === null ? null : Number(row.mntId),
      held: Number(row.held),
      unheld: Boolean(row.unheld) && !workedOn.has(keyText({ host, targetId: row.targetId })),
    }));
  }

  /** `mounted <> 0` and not `mounted`, so that an index serves. */
  async #unwritten(host: string): Promise<LedgerMount[]> {
    const rows = await queryLedger<{ targetId: string; held: unknown }>(
      this.dataSource,
      `SELECT b.backup_target_id AS targetId, COUNT(*) AS held FROM backup_target_mount_ledger b
       WHERE b.host = ? AND b.mounted <> 0 AND NOT COALESCE(b.deleted, FALSE) AND NOT EXISTS (
         SELECT 1 FROM target_mounts t WHERE t.host = b.host AND t.backup_target_id = b.backup_target_id)
       GROUP BY b.backup_target_id ORDER BY b.backup_target_id LIMIT ?`,
      [host, UNWRITTEN_LIMIT],
    );
    return rows.map(({ targetId, held }) => ({
      targetId,
      state: null,
      epoch: 0,
      mountPath: null,
      mntId: null,
      incarnation: null,
      held: Number(held),
      unheld: false,
      problem: null,
    }));
  }
}
