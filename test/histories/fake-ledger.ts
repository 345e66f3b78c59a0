import { type BindingState, DmsError } from '@app/contracts';
import {
  type BindingCounts,
  type BindingRow,
  type NewBinding,
  type PythonHolds,
} from '../../apps/dms-client/src/ledger/binding-statements';
import {
  type AbandonedOperation,
  type LastSuccess,
  type NewOperation,
  isAbandoned,
  type NewerOperation,
  type OperationEnd,
} from '../../apps/dms-client/src/ledger/operation-statements';
import { type ObservedChanges } from '../../apps/dms-client/src/ledger/observed-changes';
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
  readonly arrival: number;
  status: 'executing' | 'success' | 'error';
  renewedAt: number;
}

/** All that the ledger holds of the one target of a history. */
export interface Stored {
  row: Omit<TargetRow, 'leased'> & { leaseRenewals: number; leaseExpiresAt: number };
  bindings: Map<number, StoredBinding>;
  operations: Map<string, StoredOperation>;
  /** In the order of arrival; by token, how often each has asked. */
  leaseWaiters: Map<string, number>;
}

/** How the next transaction of a history fails. */
export type DatabaseFault = 'begin' | 'commit lost' | 'commit unknown, done' | 'commit unknown, undone';

const LATENCY_MS = 2;
const LEASE_MS = 10_000;
/** The ledger of a history. */
export const LEDGER = '44444444-4444-4444-8444-444444444444';

/** A process that is connected to the database. */
export interface Session {
  readonly observed: ObservedChanges;
  /** The node of the database cluster that it is connected to. */
  readonly writer: number;
  lives(): boolean;
  /** Wrongs to be built in. */
  readonly rowUnwritten?: boolean;
  readonly leaseByClock?: boolean;
}

/**
 * The database of a history: one target's row, atomic commits, and the time of the history. As with Galera, a row lock
 * is seen on its own writer only, and of two transactions on different writers that write the same row the later COMMIT
 * is rolled back. Each writer has its own clock.
 */
export class FakeDatabase {
  stored: Stored = {
    row: {
      revision: 0,
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
      leaseRenewals: 0,
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
  readonly #locks = new Map<number, Promise<void>>();
  /** By how much the clock of each writer is wrong, in milliseconds. */
  readonly #clockErrors = new Map<number, number>();
  /** By row, the commit that wrote it last. */
  readonly #written = new Map<string, number>();
  #commits = 0;
  #arrivals = 0;

  constructor(readonly time: VirtualTime) {}

  /** The clock of a writer jumps. */
  jump(writer: number, byMs: number): void {
    this.#clockErrors.set(writer, (this.#clockErrors.get(writer) ?? 0) + byMs);
  }

  clock(writer: number): number {
    return this.time.now + (this.#clockErrors.get(writer) ?? 0);
  }

  /**
   * Runs `work` on a copy, under the row's lock on its writer. `beforeCommit` is awaited when all statements are done
   * and the row is locked still.
   */
  async transaction<T>(
    key: TargetKey,
    work: (transaction: FakeTransaction) => Promise<T>,
    session: Session,
    beforeCommit: () => Promise<void> = () => Promise.resolve(),
  ): Promise<T> {
    await this.time.sleep(LATENCY_MS);
    const unlock = await this.#lock(session.writer);
    try {
      const fault = this.faults.shift() ?? null;
      if (fault !== null) this.wasDisturbed = true;
      if (fault === 'begin') throw new DmsError('LEDGER_UNAVAILABLE', 'The database is away');
      const before = this.stored;
      const seen = this.#commits;
      const transaction = new FakeTransaction(key, copyOf(before), session, this);
      const began = this.time.now;
      const result = await work(transaction);
      if (this.time.now !== began) throw new Error('A transaction waited for something but the database');
      await beforeCommit();
      await this.time.sleep(LATENCY_MS);
      if (fault === 'commit lost') throw new DmsError('LEDGER_UNAVAILABLE', 'The connection went away');
      const writes = writesOf(before, transaction.draft);
      if ([...writes.keys()].some((row) => (this.#written.get(row) ?? 0) > seen)) throw new RolledBack();
      if (fault !== 'commit unknown, undone' && session.lives()) this.#commit(writes);
      if (fault !== null) throw new DmsError('TIMEOUT', 'The commit was not confirmed');
      return result;
    } finally {
      unlock();
    }
  }

  /** A single statement: the renewal of a lease. */
  async renew(token: string, session: Session): Promise<void> {
    await this.time.sleep(LATENCY_MS);
    const { row } = this.stored;
    if (row.leaseToken !== token) return;
    const renewed = {
      leaseRenewals: row.leaseRenewals + 1,
      leaseExpiresAt: this.clock(session.writer) + LEASE_MS,
    };
    this.#commit(new Map([['row', (stored) => void (stored.row = { ...stored.row, ...renewed })]]));
  }

  /** A single statement, without the lock. */
  async lookAtLease(session: Session): Promise<{ leased: boolean; first: string | null }> {
    await this.time.sleep(LATENCY_MS);
    const first = livingWaiters(this.stored, session).at(0) ?? null;
    return { leased: isLeased(this.stored, session, this), first };
  }

  /** A single statement: the next place in the order of the requests. */
  async arrive(): Promise<number> {
    await this.time.sleep(LATENCY_MS);
    this.#arrivals += 1;
    return this.#arrivals;
  }

  /** A single statement, without the lock. */
  async isHeld(jobid: number): Promise<boolean> {
    await this.time.sleep(LATENCY_MS);
    return this.stored.bindings.get(jobid)?.state === 'held';
  }

  count(): BindingCounts {
    return countOf(this.stored);
  }

  async #lock(writer: number): Promise<() => void> {
    const before = this.#locks.get(writer);
    let unlock = (): void => undefined;
    this.#locks.set(writer, new Promise((resolve) => (unlock = resolve)));
    await before;
    return unlock;
  }

  #commit(writes: Writes): void {
    this.#commits += 1;
    this.stored = copyOf(this.stored);
    for (const [row, write] of writes) {
      write(this.stored);
      this.#written.set(row, this.#commits);
    }
  }
}

/** As the driver has it. */
class RolledBack extends Error {
  readonly code = 'ER_LOCK_DEADLOCK';
  readonly errno = 1213;
  readonly sqlState = '40001';
}

/** By row, what a transaction has made of it. */
type Writes = ReadonlyMap<string, (stored: Stored) => void>;

function writesOf(before: Stored, { row, bindings, operations, leaseWaiters }: Stored): Writes {
  const writes = new Map<string, (stored: Stored) => void>();
  if (differ(before.row, row)) writes.set('row', (stored) => void (stored.row = row));
  for (const [jobid, binding] of bindings) {
    if (differ(before.bindings.get(jobid), binding))
      writes.set(`binding ${jobid}`, (stored) => void stored.bindings.set(jobid, binding));
  }
  for (const [id, operation] of operations) {
    if (differ(before.operations.get(id), operation))
      writes.set(`operation ${id}`, (stored) => void stored.operations.set(id, operation));
  }
  for (const token of new Set([...before.leaseWaiters.keys(), ...leaseWaiters.keys()])) {
    const asks = leaseWaiters.get(token);
    if (asks === before.leaseWaiters.get(token)) continue;
    writes.set(`waiter ${token}`, (stored) => {
      if (asks === undefined) stored.leaseWaiters.delete(token);
      else stored.leaseWaiters.set(token, asks);
    });
  }
  return writes;
}

function differ(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) !== JSON.stringify(other);
}

/** As the process has observed; by the defect, by the clock of its writer. */
export function isLeased({ row }: Stored, session: Session, database: FakeDatabase): boolean {
  if (row.leaseToken === null) return false;
  if (session.leaseByClock) return row.leaseExpiresAt > database.clock(session.writer);
  return !session.observed.isStale('lease', `${row.leaseToken}/${row.leaseRenewals}`, LEASE_MS);
}

function livingWaiters({ leaseWaiters }: Stored, { observed }: Session): string[] {
  return [...leaseWaiters]
    .filter(([token, asks]) => !observed.isStale(token, String(asks), 2_000))
    .map(([token]) => token);
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
    private readonly session: Session,
    private readonly database: FakeDatabase,
  ) {
    const { time } = database;
    if (!session.rowUnwritten) draft.row = { ...draft.row, revision: draft.row.revision + 1 };
    this.bindings = new FakeBindings(draft, time, session);
    this.operations = new FakeOperations(draft, time, session);
    this.leaseWaiters = new FakeLeaseWaiters(draft, session);
    this.clock = new LedgerClock(String(database.clock(session.writer)), time.now);
  }

  /** No request of a history has a key. */
  readonly idempotencyKeys = { begin: (): Promise<boolean> => Promise.resolve(true) };

  get row(): TargetRow {
    const { leaseExpiresAt: _, leaseRenewals: __, ...row } = this.draft.row;
    return { ...row, leased: isLeased(this.draft, this.session, this.database) };
  }

  change({ errorCode: _, errorMessage: __, ...change }: RowChange): Promise<void> {
    Object.assign(this.draft.row, change);
    return Promise.resolve();
  }

  lease(token: string, _owner: string, leaseMs: number): Promise<void> {
    const { row } = this.draft;
    const leaseExpiresAt = this.database.clock(this.session.writer) + leaseMs;
    Object.assign(row, { leaseToken: token, leaseRenewals: row.leaseRenewals + 1, leaseExpiresAt });
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
    private readonly session: Session,
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
    for (const [jobid, binding] of this.draft.bindings) {
      const ended = this.draft.operations.get(binding.operationId)?.status !== 'executing';
      if (ended && isUnanswered(jobid, this.draft, ttlMs, this.session)) this.#change(jobid, 'released');
    }
    return Promise.resolve();
  }

  /** No Python program writes here. */
  pythonHolds(): Promise<PythonHolds> {
    return Promise.resolve(new Map());
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
    private readonly session: Session,
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

  ofJobsAfter(jobids: readonly number[], after: number): Promise<NewerOperation[]> {
    const found = [...this.draft.operations.values()].flatMap(({ jobid, action, arrival }) =>
      jobid !== null && jobids.includes(jobid) && arrival > after
        ? [{ jobid, action, holdId: null, arrival }]
        : [],
    );
    return Promise.resolve(found);
  }

  /** Histories tell of no data that is lost: no success bears a code. */
  lastSuccesses(jobids: readonly number[]): Promise<Map<number, LastSuccess>> {
    const successes = [...this.draft.operations.values()]
      .filter(({ status, jobid }) => status === 'success' && jobid !== null && jobids.includes(jobid))
      .sort((one, other) => one.arrival - other.arrival);
    const lasts = new Map<number, LastSuccess>();
    for (const { jobid, action, arrival } of successes)
      lasts.set(jobid ?? 0, { action, arrival, errorCode: null, message: null });
    return Promise.resolve(lasts);
  }

  /** Asked for only where data was lost. */
  lastMountMade(): Promise<null> {
    return Promise.resolve(null);
  }

  abandoned(silentMs: number): Promise<AbandonedOperation[]> {
    const found: AbandonedOperation[] = [];
    for (const [id, operation] of this.draft.operations) {
      if (!isGone(id, operation, silentMs, this.session)) continue;
      const { action, jobid } = operation;
      const own = [...this.draft.bindings.values()].find(({ operationId }) => operationId === id);
      found.push({ id, action, jobid, requestId: null, bindingState: own?.state ?? null });
    }
    return Promise.resolve(found);
  }

  #add({ id, action, jobid, arrival = 0 }: NewOperation, status: StoredOperation['status']): void {
    if (this.draft.operations.has(id)) throw new Error('An operation is begun twice');
    this.draft.operations.set(id, {
      action: action,
      jobid,
      status,
      arrival,
      renewedAt: this.time.now,
    });
  }
}

class FakeLeaseWaiters {
  /** Places of processes that are gone do no harm here: they are passed over. */
  readonly hasGone = false;

  constructor(
    private readonly draft: Stored,
    private readonly session: Session,
  ) {}

  first(): Promise<string | null> {
    return Promise.resolve(livingWaiters(this.draft, this.session).at(0) ?? null);
  }

  wait(token: string): Promise<void> {
    this.draft.leaseWaiters.set(token, (this.draft.leaseWaiters.get(token) ?? 0) + 1);
    return Promise.resolve();
  }

  leave(token: string): Promise<void> {
    this.draft.leaseWaiters.delete(token);
    return Promise.resolve();
  }
}

/** Its process has not renewed it for `silentMs`, as far as the process of the session has observed. */
export function isGone(
  id: string,
  { status, renewedAt }: StoredOperation,
  silentMs: number,
  { observed }: Session,
): boolean {
  return status === 'executing' && isAbandoned({ id, renewedAt: String(renewedAt) }, silentMs, observed);
}

/** A claim that nothing has changed for `ttlMs`, as far as the process of the session has observed. */
export function isUnanswered(
  jobid: number,
  { bindings, operations }: Stored,
  ttlMs: number,
  { observed }: Session,
): boolean {
  const { state, operationId = '', updatedAt } = bindings.get(jobid) ?? {};
  const value = `${operationId}/${updatedAt}/${operations.get(operationId)?.status}`;
  return state === 'claimed' && observed.isStale(`claim ${jobid}`, value, ttlMs);
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
