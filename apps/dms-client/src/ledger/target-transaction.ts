import { type ErrorCode, type MountState, type TargetType } from '@app/contracts';
import { type QueryRunner } from 'typeorm';
import { OperationStatements } from './operation-statements';
import { BindingStatements } from './binding-statements';
import { IdempotencyKeyStatements } from './idempotency-key-statements';
import { LedgerClock } from './ledger-clock';
import { LeaseWaiterStatements } from './lease-waiter-statements';
import { type ObservedChanges } from './observed-changes';
import { ChangeList, type CommittedChanges, mountChange } from './changes';
import { keyText, pathKey, type TargetKey } from './target-key';

/** How long a lease lasts without a renewal, in milliseconds, where its holder (an older version) does not say so. */
const DEFAULT_LEASE_MS = 10_000;

/** The locked row of a target, as it was when the lock was got. */
export interface TargetRow {
  /** Counts the transactions that decided about the target, with this one. */
  readonly revision: number;
  readonly state: MountState;
  readonly epoch: number;
  readonly incarnation: string | null;
  readonly mountPath: string | null;
  readonly source: string | null;
  readonly type: TargetType | null;
  readonly readOnly: boolean;
  /** The project for which it was mounted last; null: it is not known. */
  readonly projectId: string | null;
  readonly mntId: number | null;
  readonly device: string | null;
  /** The boot of the node in which it was mounted; null: it is not known. */
  readonly bootId: string | null;
  readonly operationId: string | null;
  /** What went wrong last; null where all is well. */
  readonly errorCode?: ErrorCode | null;
  /** The same in words. */
  readonly errorMessage?: string | null;
  readonly leaseToken: string | null;
  /** The lease is another's or one's own, and was renewed of late, as far as this process has observed. */
  readonly leased: boolean;
  /** An operator lets no new holds onto the node. */
  readonly draining: boolean;
  /** Id of the ledger, which commands bear; null: somebody has removed it. */
  readonly ledger: string | null;
}

/** What a decision may change. */
export type RowChange = Partial<
  Omit<TargetRow, 'revision' | 'leased' | 'leaseToken' | 'draining' | 'ledger'> & {
    errorCode: ErrorCode | null;
    errorMessage: string | null;
  }
>;

const COLUMNS: Record<keyof RowChange, string> = {
  state: 'state',
  epoch: 'epoch',
  incarnation: 'incarnation',
  mntId: 'mnt_id',
  device: 'device',
  bootId: 'boot_id',
  operationId: 'operation_id',
  mountPath: 'mount_path',
  source: 'source',
  type: 'type',
  readOnly: 'read_only',
  projectId: 'project_id',
  errorCode: 'error_code',
  errorMessage: 'error_msg',
};

const OF_TARGET = 'host = ? AND backup_target_id = ?';

/**
 * The lock of a decision is a write: a Galera cluster shows no row lock to its other nodes, and of two transactions
 * only those collide that write the same row. `updated_at` tells of changes, which this is not.
 */
const LOCK_ROW = `UPDATE target_mounts SET revision = revision + 1, updated_at = updated_at WHERE ${OF_TARGET}`;
const MAKE_ROW = `INSERT INTO target_mounts (host, backup_target_id, revision) VALUES (?, ?, 1)
  ON DUPLICATE KEY UPDATE revision = revision + 1, updated_at = updated_at`;

const SELECT_ROW = `SELECT CAST(NOW(6) AS CHAR) AS now, revision, state, epoch, incarnation, mount_path AS mountPath,
    source, type, read_only AS readOnly, project_id AS projectId, mnt_id AS mntId, device, boot_id AS bootId,
    operation_id AS operationId, error_code AS errorCode, error_msg AS errorMessage,
    lease_token AS leaseToken, ${leaseValue('target_mounts')} AS leaseValue, lease_ms AS leaseMs,
    EXISTS (SELECT 1 FROM nodes n WHERE n.host = target_mounts.host AND n.state = 'draining') AS draining,
    (SELECT ledger_id FROM ledger_identity) AS ledger
  FROM target_mounts WHERE ${OF_TARGET}`;

interface RawRow extends LeaseRow {
  readonly now: string;
  readonly revision: unknown;
  readonly epoch: unknown;
  readonly mntId: unknown;
  readonly readOnly: unknown;
  readonly draining: unknown;
}

/** What the row of a target says of its lease. */
export interface LeaseRow {
  /** What a renewal changes; null: nobody has the lease. */
  readonly leaseValue: string | null;
  /** How long it lasts without one; null: its holder is of an older version. */
  readonly leaseMs: number | null;
}

/**
 * Locks the row of the target, made if it is missing, in the transaction of `runner`.
 *
 * @param observed what this process has observed of leases
 */
export async function readLocked(
  runner: QueryRunner,
  { host, targetId }: TargetKey,
  observed: ObservedChanges,
): Promise<{ row: TargetRow; clock: LedgerClock }> {
  const key = [host, targetId];
  const { affectedRows } = (await runner.query(LOCK_ROW, key)) as { affectedRows: number };
  if (affectedRows === 0) await runner.query(MAKE_ROW, key);
  const askedAt = performance.now();
  const [raw] = (await runner.query(SELECT_ROW, key)) as (RawRow | undefined)[];
  if (raw === undefined) throw new Error('The row of a target vanished while it was made');
  const { now, leaseValue: _, leaseMs: __, ...values } = raw;
  const row = {
    ...(values as unknown as TargetRow),
    revision: Number(raw.revision),
    epoch: Number(raw.epoch),
    mntId: raw.mntId === null ? null : Number(raw.mntId),
    readOnly: Boolean(raw.readOnly),
    leased: isLeased({ host, targetId }, raw, observed),
    draining: Boolean(raw.draining),
  };
  return { row, clock: new LedgerClock(now, askedAt) };
}

/** What a renewal of a lease changes, as one text; null where there is no lease. Older versions change the time alone. */
export function leaseValue(table: string): string {
  return `CONCAT(${table}.lease_token, '/', ${table}.lease_renewals, '/', ${table}.lease_expires_at)`;
}

/** True while somebody holds the lease and renews it, as far as this process has observed. */
export function isLeased(
  key: TargetKey,
  { leaseValue, leaseMs }: LeaseRow,
  observed: ObservedChanges,
): boolean {
  if (leaseValue === null) return false;
  return !observed.isStale(`lease of ${keyText(key)}`, leaseValue, leaseMs ?? DEFAULT_LEASE_MS);
}

/** The statements of one transaction that holds a target's row. */
export class TargetTransaction {
  readonly bindings: BindingStatements;
  readonly operations: OperationStatements;
  readonly leaseWaiters: LeaseWaiterStatements;
  readonly idempotencyKeys: IdempotencyKeyStatements;
  readonly clock: LedgerClock;
  readonly #changes = new ChangeList();
  #row: TargetRow;

  constructor(
    private readonly runner: QueryRunner,
    readonly key: TargetKey,
    { row, clock }: Awaited<ReturnType<typeof readLocked>>,
    observed: ObservedChanges,
  ) {
    this.#row = row;
    this.clock = clock;
    this.bindings = new BindingStatements(runner, key, this.#changes, observed);
    this.operations = new OperationStatements(runner, key, clock, this.#changes, observed);
    this.leaseWaiters = new LeaseWaiterStatements(runner, key, observed);
    this.idempotencyKeys = new IdempotencyKeyStatements(runner);
  }

  /** The row as this transaction leaves it. */
  get row(): TargetRow {
    return this.#row;
  }

  /** What users are to be told of once this is committed. To be called last: it reads who is concerned. */
  async changes(): Promise<CommittedChanges> {
    const changes = await this.#changes.complete(() => this.bindings.holders());
    return { epoch: this.#row.epoch, mountPath: this.#row.mountPath, changes };
  }

  /**
   * Changes the row. The path is occupied while the state is not ABSENT.
   *
   * @throws QueryFailedError ER_DUP_ENTRY where another target of the host occupies the path
   */
  async change(change: RowChange): Promise<void> {
    const entries = Object.entries(change) as [keyof RowChange, unknown][];
    const next = { ...this.#row, ...change };
    const occupied = next.state === 'ABSENT' || next.mountPath === null ? null : pathKey(next.mountPath);
    const assignments = entries.map(([name]) => `${COLUMNS[name]} = ?`);
    await this.runner.query(
      `UPDATE target_mounts SET ${[...assignments, 'active_path_key = ?'].join(', ')} WHERE ${OF_TARGET}`,
      [...entries.map(([, value]) => value), occupied, this.key.host, this.key.targetId],
    );
    this.#changes.mount(mountChange(this.#row, next));
    this.#row = next;
  }

  /**
   * Makes `token` the holder of the lease, until it has not renewed it for `leaseMs`. The time at which that will be is
   * for people to see, and for older versions.
   */
  async lease(token: string, owner: string, leaseMs: number): Promise<void> {
    await this.runner.query(
      `UPDATE target_mounts SET lease_token = ?, lease_owner = ?, lease_ms = ?, lease_renewals = lease_renewals + 1,
         lease_expires_at = NOW(6) + INTERVAL ? MICROSECOND WHERE ${OF_TARGET}`,
      [token, owner, leaseMs, leaseMs * 1000, this.key.host, this.key.targetId],
    );
    this.#row = { ...this.#row, leaseToken: token, leased: true };
  }

  /** Gives the lease back; without effect where `token` does not hold it. */
  async release(token: string): Promise<void> {
    if (this.#row.leaseToken !== token) return;
    await this.runner.query(
      `UPDATE target_mounts SET lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL WHERE ${OF_TARGET}`,
      [this.key.host, this.key.targetId],
    );
    this.#row = { ...this.#row, leaseToken: null, leased: false };
  }
}
