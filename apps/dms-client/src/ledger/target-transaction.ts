import { type ErrorCode, type MountState, type TargetType } from '@app/contracts';
import { type QueryRunner } from 'typeorm';
import { OperationStatements } from './operation-statements';
import { BindingStatements } from './binding-statements';
import { LedgerClock } from './ledger-clock';
import { LeaseWaiterStatements } from './lease-waiter-statements';
import { ChangeList, type CommittedChanges, mountChange } from './changes';
import { pathKey, type TargetKey } from './target-key';

/** The locked row of a target, as it was when the lock was got. */
export interface TargetRow {
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
  /** The lease has not run out, by the database's clock. */
  readonly leased: boolean;
  /** An operator lets no new holds onto the node. */
  readonly draining: boolean;
  /** Id of the ledger, which commands bear; null: somebody has removed it. */
  readonly ledger: string | null;
}

/** What a decision may change. */
export type RowChange = Partial<
  Omit<TargetRow, 'leased' | 'leaseToken' | 'draining' | 'ledger'> & {
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

const SELECT_ROW = `SELECT CAST(NOW(6) AS CHAR) AS now, state, epoch, incarnation, mount_path AS mountPath, source, type,
    read_only AS readOnly, project_id AS projectId, mnt_id AS mntId, device, boot_id AS bootId,
    operation_id AS operationId, error_code AS errorCode, error_msg AS errorMessage,
    lease_token AS leaseToken,
    COALESCE(lease_expires_at > NOW(6), FALSE) AS leased,
    EXISTS (SELECT 1 FROM nodes n WHERE n.host = target_mounts.host AND n.state = 'draining') AS draining,
    (SELECT ledger_id FROM ledger_identity) AS ledger
  FROM target_mounts WHERE host = ? AND backup_target_id = ? FOR UPDATE`;

/** Locks the row of the target, made if it is missing, in the transaction of `runner`. */
export async function readLocked(
  runner: QueryRunner,
  { host, targetId }: TargetKey,
): Promise<{ row: TargetRow; clock: LedgerClock }> {
  let askedAt = performance.now();
  const select = async (): Promise<(Record<string, unknown> & { now: string }) | undefined> => {
    askedAt = performance.now();
    return ((await runner.query(SELECT_ROW, [host, targetId])) as { now: string }[])[0];
  };
  let raw = await select();
  if (raw === undefined) {
    await runner.query('INSERT IGNORE INTO target_mounts (host, backup_target_id) VALUES (?, ?)', [
      host,
      targetId,
    ]);
    raw = await select();
  }
  if (raw === undefined) throw new Error('The row of a target vanished while it was made');
  const { now, ...values } = raw;
  const row = {
    ...(values as unknown as TargetRow),
    epoch: Number(raw.epoch),
    mntId: raw.mntId === null ? null : Number(raw.mntId),
    readOnly: Boolean(raw.readOnly),
    leased: Boolean(raw.leased),
    draining: Boolean(raw.draining),
  };
  return { row, clock: new LedgerClock(now, askedAt) };
}

/** The statements of one transaction that holds a target's row. */
export class TargetTransaction {
  readonly bindings: BindingStatements;
  readonly operations: OperationStatements;
  readonly leaseWaiters: LeaseWaiterStatements;
  readonly clock: LedgerClock;
  readonly #changes = new ChangeList();
  #row: TargetRow;

  constructor(
    private readonly runner: QueryRunner,
    readonly key: TargetKey,
    { row, clock }: Awaited<ReturnType<typeof readLocked>>,
  ) {
    this.#row = row;
    this.clock = clock;
    this.bindings = new BindingStatements(runner, key, this.#changes);
    this.operations = new OperationStatements(runner, key, clock, this.#changes);
    this.leaseWaiters = new LeaseWaiterStatements(runner, key);
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
      `UPDATE target_mounts SET ${[...assignments, 'active_path_key = ?'].join(', ')} WHERE host = ? AND backup_target_id = ?`,
      [...entries.map(([, value]) => value), occupied, this.key.host, this.key.targetId],
    );
    this.#changes.mount(mountChange(this.#row, next));
    this.#row = next;
  }

  /** Makes `token` the holder of the lease for `leaseMs` from now, by the database's clock. */
  async lease(token: string, owner: string, leaseMs: number): Promise<void> {
    await this.runner.query(
      `UPDATE target_mounts SET lease_token = ?, lease_owner = ?, lease_expires_at = NOW(6) + INTERVAL ? MICROSECOND
       WHERE host = ? AND backup_target_id = ?`,
      [token, owner, leaseMs * 1000, this.key.host, this.key.targetId],
    );
    this.#row = { ...this.#row, leaseToken: token, leased: true };
  }

  /** Gives the lease back; without effect where `token` does not hold it. */
  async release(token: string): Promise<void> {
    if (this.#row.leaseToken !== token) return;
    await this.runner.query(
      `UPDATE target_mounts SET lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL
       WHERE host = ? AND backup_target_id = ?`,
      [this.key.host, this.key.targetId],
    );
    this.#row = { ...this.#row, leaseToken: null, leased: false };
  }
}
