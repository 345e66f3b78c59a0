import { type BindingState, DmsError } from '@app/contracts';
import {
  type BindingCounts,
  type BindingRow,
  type NewBinding,
} from '../../apps/dms-client/src/ledger/binding-statements';
import {
  type AbandonedOperation,
  type NewOperation,
  type OperationEnd,
} from '../../apps/dms-client/src/ledger/operation-statements';
import { type TargetKey } from '../../apps/dms-client/src/ledger/target-key';
import { type RowChange, type TargetRow } from '../../apps/dms-client/src/ledger/target-transaction';
import { type VirtualTime } from './virtual-time';

export interface StoredBinding {
  state: BindingState;
  operationId: string;
  updatedAt: number;
}

export interface StoredOperation {
  readonly action: 'mount' | 'unmount' | 'reconcile';
  readonly jobid: number | null;
  readonly createdAt: number;
  status: 'executing' | 'success' | 'error';
  renewedAt: number;
}

/** All that the ledger holds of the one target of a history. */
export interface Stored {
  row: Omit<TargetRow, 'leased'> & { leaseExpiresAt: number };
  bindings: Map<number, StoredBinding>;
  operations: Map<string, StoredOperation>;
}

/** How the next transaction of a history fails. */
export type DatabaseFault = 'begin' | 'commit lost' | 'commit unknown, done' | 'commit unknown, undone';

const LATENCY_MS = 2;

/** The database of a history: one target's row with its lock, atomic commits, and the time of the history. */
export class FakeDatabase {
  stored: Stored = {
    row: {
      state: 'ABSENT',
      epoch: 0,
      incarnation: null,
      mountPath: null,
      source: null,
      type: null,
      readOnly: false,
      mntId: null,
      device: null,
      operationId: null,
      leaseToken: null,
      leaseExpiresAt: 0,
      draining: false,
    },
    bindings: new Map(),
    operations: new Map(),
  };
  readonly faults: DatabaseFault[] = [];
  /** A fault happened: leases may have run out although their holders live. */
  wasDisturbed = false;
  #lock: Promise<void> = Promise.resolve();

  constructor(readonly time: VirtualTime) {}

  /** Runs `work` on a copy, under the row's lock; `commits` says at the end whether its process lives still. */
  async transaction<T>(
    key: TargetKey,
    work: (transaction: FakeTransaction) => Promise<T>,
    lives: () => boolean,
  ): Promise<T> {
    await this.time.sleep(LATENCY_MS);
    const before = this.#lock;
    let unlock = (): void => undefined;
    this.#lock = new Promise((resolve) => (unlock = resolve));
    await before;
    try {
      const fault = this.faults.shift() ?? null;
      if (fault !== null) this.wasDisturbed = true;
      if (fault === 'begin') throw new DmsError('LEDGER_UNAVAILABLE', 'The database is away');
      const transaction = new FakeTransaction(key, copyOf(this.stored), this.time);
      const began = this.time.now;
      const result = await work(transaction);
      if (this.time.now !== began) throw new Error('A transaction waited for something but the database');
      await this.time.sleep(LATENCY_MS);
      if (fault === 'commit lost') throw new DmsError('LEDGER_UNAVAILABLE', 'The connection went away');
      if (fault !== 'commit unknown, undone' && lives()) this.stored = transaction.draft;
      if (fault !== null) throw new DmsError('TIMEOUT', 'The commit was not confirmed');
      return result;
    } finally {
      unlock();
    }
  }

  /** A single statement: the renewal of a lease. */
  async renew(token: string, leaseMs: number): Promise<void> {
    await this.time.sleep(LATENCY_MS);
    const { row } = this.stored;
    if (row.leaseToken === token) row.leaseExpiresAt = this.time.now + leaseMs;
  }

  count(): BindingCounts {
    return countOf(this.stored);
  }

  get isLeased(): boolean {
    return this.stored.row.leaseExpiresAt > this.time.now;
  }
}

/** One transaction's statements, as `TargetTransaction` has them. */
export class FakeTransaction {
  readonly bindings: FakeBindings;
  readonly operations: FakeOperations;

  constructor(
    readonly key: TargetKey,
    readonly draft: Stored,
    private readonly time: VirtualTime,
  ) {
    this.bindings = new FakeBindings(draft, time);
    this.operations = new FakeOperations(draft, time);
  }

  get row(): TargetRow {
    const { leaseExpiresAt, ...row } = this.draft.row;
    return { ...row, leased: leaseExpiresAt > this.time.now };
  }

  change({ errorCode: _, errorMessage: __, ...change }: RowChange): Promise<void> {
    Object.assign(this.draft.row, change);
    return Promise.resolve();
  }

  lease(token: string, _owner: string, leaseMs: number): Promise<void> {
    Object.assign(this.draft.row, { leaseToken: token, leaseExpiresAt: this.time.now + leaseMs });
    return Promise.resolve();
  }

  release(token: string): Promise<void> {
    if (this.draft.row.leaseToken === token) {
      Object.assign(this.draft.row, { leaseToken: null, leaseExpiresAt: 0 });
    }
    return Promise.resolve();
  }
}

class FakeBindings {
  constructor(
    private readonly draft: Stored,
    private readonly time: VirtualTime,
  ) {}

  count(): Promise<BindingCounts> {
    return Promise.resolve(countOf(this.draft));
  }

  ofJobs(jobids: readonly number[]): Promise<Map<number, BindingRow>> {
    const rows = new Map<number, BindingRow>();
    for (const jobid of jobids) {
      const binding = this.draft.bindings.get(jobid);
      if (binding !== undefined) rows.set(jobid, { id: jobid, jobid, ...binding });
    }
    return Promise.resolve(rows);
  }

  claim(bindings: readonly NewBinding[]): Promise<void> {
    for (const { jobid, operationId } of bindings) {
      const held = this.draft.bindings.get(jobid)?.state === 'held';
      this.#set(jobid, held ? 'held' : 'claimed', operationId);
    }
    return Promise.resolve();
  }

  hold(bindings: readonly NewBinding[]): Promise<void> {
    for (const { jobid, operationId } of bindings) this.#set(jobid, 'held', operationId);
    return Promise.resolve();
  }

  grant(jobids: readonly number[]): Promise<void> {
    for (const jobid of jobids) this.#change(jobid, 'held');
    return Promise.resolve();
  }

  release(jobids: readonly number[]): Promise<void> {
    for (const jobid of jobids) this.#change(jobid, 'released');
    return Promise.resolve();
  }

  withdraw(claims: readonly { operationId: string }[]): Promise<void> {
    for (const [jobid, { state, operationId }] of this.draft.bindings) {
      const withdrawn = state === 'claimed' && claims.some((claim) => claim.operationId === operationId);
      if (withdrawn) this.#change(jobid, 'released');
    }
    return Promise.resolve();
  }

  withdrawUnanswered(ttlMs: number): Promise<void> {
    for (const [jobid, { state, operationId, updatedAt }] of this.draft.bindings) {
      const ended = this.draft.operations.get(operationId)?.status !== 'executing';
      if (state === 'claimed' && ended && updatedAt < this.time.now - ttlMs) this.#change(jobid, 'released');
    }
    return Promise.resolve();
  }

  lose(): Promise<number[]> {
    const held = [...this.draft.bindings].filter(([, { state }]) => state === 'held').map(([jobid]) => jobid);
    for (const jobid of held) this.#change(jobid, 'lost');
    return Promise.resolve(held);
  }

  #set(jobid: number, state: BindingState, operationId: string): void {
    this.draft.bindings.set(jobid, { state, operationId, updatedAt: this.time.now });
  }

  #change(jobid: number, state: BindingState): void {
    const binding = this.draft.bindings.get(jobid);
    if (binding !== undefined) this.#set(jobid, state, binding.operationId);
  }
}

class FakeOperations {
  constructor(
    private readonly draft: Stored,
    private readonly time: VirtualTime,
  ) {}

  begin(operations: readonly NewOperation[]): Promise<void> {
    for (const { id, action, jobid } of operations) this.#add(id, action, jobid, 'executing');
    return Promise.resolve();
  }

  record(operations: readonly { opening: NewOperation; end: OperationEnd }[]): Promise<void> {
    for (const { opening, end } of operations)
      this.#add(opening.id, opening.action, opening.jobid, end.status);
    return Promise.resolve();
  }

  end({ id, status }: OperationEnd): Promise<void> {
    const operation = this.draft.operations.get(id);
    if (operation?.status === 'executing') operation.status = status;
    return Promise.resolve();
  }

  hasNewer(jobid: number, sinceMs: number): Promise<boolean> {
    const since = this.time.now - sinceMs;
    const operations = [...this.draft.operations.values()];
    return Promise.resolve(operations.some((other) => other.jobid === jobid && other.createdAt > since));
  }

  abandoned(silentMs: number): Promise<AbandonedOperation[]> {
    const found: AbandonedOperation[] = [];
    for (const [id, { action, jobid, status, renewedAt }] of this.draft.operations) {
      if (status !== 'executing' || renewedAt >= this.time.now - silentMs) continue;
      const own = [...this.draft.bindings.values()].find(({ operationId }) => operationId === id);
      found.push({ id, action, jobid, bindingState: own?.state ?? null });
    }
    return Promise.resolve(found);
  }

  #add(id: string, action: string, jobid: number | null, status: StoredOperation['status']): void {
    if (this.draft.operations.has(id)) throw new Error('An operation is begun twice');
    this.draft.operations.set(id, {
      action: action as StoredOperation['action'],
      jobid,
      status,
      createdAt: this.time.now,
      renewedAt: this.time.now,
    });
  }
}

function countOf({ bindings }: Stored): BindingCounts {
  const states = [...bindings.values()].map(({ state }) => state);
  return {
    claimed: states.filter((state) => state === 'claimed').length,
    held: states.filter((state) => state === 'held').length,
  };
}

function copyOf({ row, bindings, operations }: Stored): Stored {
  return {
    row: { ...row },
    bindings: new Map([...bindings].map(([jobid, binding]) => [jobid, { ...binding }])),
    operations: new Map([...operations].map(([id, operation]) => [id, { ...operation }])),
  };
}
