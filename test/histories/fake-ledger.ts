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
  type RecentOperation,
} from '../../apps/dms-client/src/ledger/operation-statements';
import { LedgerClock } from '../../apps/dms-client/src/ledger/ledger-clock';
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
  /** In the order of arrival; by token, until when each place is kept. */
  leaseWaiters: Map<string, number>;
}

/** How the next transaction of a history fails. */
export type DatabaseFault = 'begin' | 'commit lost' | 'commit unknown, done' | 'commit unknown, undone';

const LATENCY_MS = 2;
/** The ledger of a history. */
export const LEDGER = '44444444-4444-4444-8444-444444444444';

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
      projectId: null,
      mntId: null,
      device: null,
      bootId: null,
      operationId: null,
      leaseToken: null,
      leaseExpiresAt: 0,
      draining: false,
      ledger: LEDGER,
    },
    bindings: new Map(),
    operations: new Map(),
    leaseWaiters: new Map(),
  };
  readonly faults: DatabaseFault[] = [];
  /** A fault happened: leases may have run out although their holders live. */
  wasDisturbed = false;
  #lock: Promise<void> = Promise.resolve();

  constructor(readonly time: VirtualTime) {}

  /**
   * Runs `work` on a copy, under the row's lock; `lives` says at the end whether its process does. `beforeCommit` is
   * awaited when all statements are done and the row is locked still.
   */
  async transaction<T>(
    key: TargetKey,
    work: (transaction: FakeTransaction) => Promise<T>,
    lives: () => boolean,
    beforeCommit: () => Promise<void> = () => Promise.resolve(),
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
      await beforeCommit();
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

  /** A single statement, without the lock. */
  async isHeld(jobid: number): Promise<boolean> {
    await this.time.sleep(LATENCY_MS);
    return this.stored.bindings.get(jobid)?.state === 'held';
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
  readonly leaseWaiters: FakeLeaseWaiters;
  readonly clock: LedgerClock;

  constructor(
    readonly key: TargetKey,
    readonly draft: Stored,
    private readonly time: VirtualTime,
  ) {
    this.bindings = new FakeBindings(draft, time);
    this.operations = new FakeOperations(draft, time);
    this.leaseWaiters = new FakeLeaseWaiters(draft, time);
    this.clock = new LedgerClock(String(time.now), time.now);
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
      if (binding !== undefined) rows.set(jobid, { id: jobid, jobid, projectId: null, ...binding });
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

  /** No Python program writes here. */
  endedSince(): Promise<number[]> {
    return Promise.resolve([]);
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
    for (const operation of operations) this.#add(operation, 'executing');
    return Promise.resolve();
  }

  record(operations: readonly { opening: NewOperation; end: OperationEnd }[]): Promise<void> {
    for (const { opening, end } of operations) this.#add(opening, end.status);
    return Promise.resolve();
  }

  end({ id, status }: OperationEnd): Promise<void> {
    const operation = this.draft.operations.get(id);
    if (operation?.status === 'executing') operation.status = status;
    return Promise.resolve();
  }

  ofJobsSince(jobids: readonly number[], since: number): Promise<RecentOperation[]> {
    const all = [...this.draft.operations.values()];
    const recent = all.flatMap(({ jobid, action, createdAt }) =>
      jobid !== null && jobids.includes(jobid) && createdAt > since
        ? [{ jobid, action, holdId: null, ageMicroseconds: (this.time.now - createdAt) * 1000 }]
        : [],
    );
    return Promise.resolve(recent);
  }

  abandoned(silentMs: number): Promise<AbandonedOperation[]> {
    const found: AbandonedOperation[] = [];
    for (const [id, { action, jobid, status, renewedAt }] of this.draft.operations) {
      if (status !== 'executing' || renewedAt >= this.time.now - silentMs) continue;
      const own = [...this.draft.bindings.values()].find(({ operationId }) => operationId === id);
      found.push({ id, action, jobid, requestId: null, bindingState: own?.state ?? null });
    }
    return Promise.resolve(found);
  }

  #add(
    { id, action, jobid, arrivedAt = this.time.now }: NewOperation,
    status: StoredOperation['status'],
  ): void {
    if (this.draft.operations.has(id)) throw new Error('An operation is begun twice');
    this.draft.operations.set(id, {
      action: action,
      jobid,
      status,
      createdAt: arrivedAt,
      renewedAt: this.time.now,
    });
  }
}

class FakeLeaseWaiters {
  constructor(
    private readonly draft: Stored,
    private readonly time: VirtualTime,
  ) {}

  first(): Promise<string | null> {
    const living = [...this.draft.leaseWaiters].find(([, until]) => until > this.time.now);
    return Promise.resolve(living?.[0] ?? null);
  }

  wait(token: string, _owner: string, placeMs: number): Promise<void> {
    this.draft.leaseWaiters.set(token, this.time.now + placeMs);
    return Promise.resolve();
  }

  leave(token: string): Promise<void> {
    this.draft.leaseWaiters.delete(token);
    return Promise.resolve();
  }
}

function countOf({ bindings }: Stored): BindingCounts {
  const states = [...bindings.values()].map(({ state }) => state);
  return {
    claimed: states.filter((state) => state === 'claimed').length,
    held: states.filter((state) => state === 'held').length,
  };
}

function copyOf({ row, bindings, operations, leaseWaiters }: Stored): Stored {
  return {
    row: { ...row },
    bindings: new Map([...bindings].map(([jobid, binding]) => [jobid, { ...binding }])),
    operations: new Map([...operations].map(([id, operation]) => [id, { ...operation }])),
    leaseWaiters: new Map(leaseWaiters),
  };
}
