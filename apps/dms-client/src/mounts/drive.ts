import { DmsError } from '@app/contracts';
import { type Lease, type LeasePlace } from '../locks/lock.service';
import { type TargetKey } from '../ledger/target-key';
import { type TargetTransaction } from '../ledger/target-transaction';
import {
  endedBadly,
  errorEnd,
  mountResponse,
  successEnd,
  type UnmountResult,
  unmountResponse,
  WITHDRAWN,
} from './responses';
import { type Answer } from './step';
import { jobOf, subjectOf, type WaitingRequest } from './waiting-request';

/** What transactions change of a drive. */
interface Draft extends Pick<
  Drive,
  | 'lease'
  | 'place'
  | 'hadItsTurn'
  | 'confirmedIncarnation'
  | 'nodeAnswers'
  | 'staleReplies'
  | 'unmounted'
  | 'problem'
  | 'legacyEnded'
  | 'suspicious'
> {
  readonly mounted: ReadonlySet<WaitingRequest>;
}

/**
 * One process's work on one target until nothing is left to do: its lease, the requests that wait for the outcome,
 * and what was learned on the way.
 */
export class Drive {
  lease: Lease | null = null;
  /** While it waits for the lease. */
  place: LeasePlace | null = null;
  /** A command was sent under the lease that it has. */
  hadItsTurn = false;
  /** Nobody waits: time to end what processes that are gone left open. */
  readonly sweeps: boolean;
  /** The node said in this drive, for this incarnation, that the mount stands: no hello is needed to believe it. */
  confirmedIncarnation: string | null = null;
  /** The node has answered in this drive: it listens. */
  nodeAnswers = false;
  /** How often the node said STALE_EPOCH. */
  staleReplies = 0;
  /** Requests whose mount command was sent: they did not merely join. */
  #mounted = new Set<WaitingRequest>();
  /** An unmount of this drive took the mount away. */
  unmounted = false;
  /** Why the last unmount did not take the mount away, or not cleanly. */
  problem: UnmountResult['problem'] = null;
  /** Holders that send no epochs, which the node named, and which have ended by the ledger. */
  legacyEnded: readonly string[] = [];
  #answers: Answer[] = [];
  /** What the last commit left of all this: a transaction that is rolled back leaves nothing here either. */
  #committed: Draft;

  constructor(
    readonly key: TargetKey,
    private readonly waiting: Set<WaitingRequest>,
    /** Something contradicts the row: the node is fenced before anything is believed. */
    public suspicious = false,
  ) {
    this.sweeps = waiting.size === 0;
    this.#committed = this.#draft();
  }

  get mounts(): WaitingRequest[] {
    return this.#open('mount');
  }

  get unmounts(): WaitingRequest[] {
    return this.#open('unmount');
  }

  /** True while somebody waits for an answer. */
  get waits(): boolean {
    return this.mounts.length + this.unmounts.length > 0;
  }

  /** The lease was got: a turn begins. */
  begin(lease: Lease): void {
    this.lease = lease;
    this.place = null;
    this.hadItsTurn = false;
  }

  /** A command is about to be sent. */
  turnTaken(): void {
    this.hadItsTurn = true;
    this.#committed = { ...this.#committed, hadItsTurn: true };
  }

  participated(requests: readonly WaitingRequest[]): void {
    for (const request of requests) this.#mounted.add(request);
  }

  /** Grants mounts of a row that is MOUNTED: the bindings become held. Takes effect for the callers at the commit. */
  async grant(transaction: TargetTransaction, mounts: readonly WaitingRequest[]): Promise<void> {
    await transaction.bindings.grant(mounts.map(jobOf));
    for (const waiting of mounts) {
      const response = mountResponse(waiting, transaction.row, !this.#mounted.has(waiting));
      await transaction.operations.end(successEnd(response), subjectOf(waiting));
      this.#answers.push({ waiting, result: { response } });
    }
  }

  /**
   * Fails mounts for good: their claims are taken back. Of a job that has asked for the unmount meanwhile that is the reason,
   * whatever else went wrong: a repeat must not mount for it.
   */
  async refuse(
    transaction: TargetTransaction,
    mounts: readonly WaitingRequest[],
    error: DmsError,
  ): Promise<void> {
    const before = await transaction.bindings.ofJobs(mounts.map(jobOf));
    await transaction.bindings.withdraw(
      mounts.map((waiting) => ({ jobid: jobOf(waiting), operationId: waiting.operationId })),
    );
    for (const waiting of mounts) {
      const isWithdrawn = before.get(jobOf(waiting))?.state === 'released';
      const why = isWithdrawn ? new DmsError('CONFLICT', WITHDRAWN) : error;
      await transaction.operations.end(errorEnd(waiting, why, transaction.row.epoch), subjectOf(waiting));
      this.#answers.push({ waiting, result: { error: why } });
    }
  }

  /** Answers mounts whose outcome is unknown: claim and operation stay open until it is found out. */
  leaveOpen(mounts: readonly WaitingRequest[], error: DmsError): void {
    for (const waiting of mounts) this.#answers.push({ waiting, result: { error } });
  }

  /** Answers the unmounts: their jobs hold nothing any more, whatever became of the mount. */
  async finishUnmounts(transaction: TargetTransaction): Promise<void> {
    if (this.unmounts.length === 0) return;
    const counts = await transaction.bindings.count();
    for (const waiting of this.unmounts) {
      const response = unmountResponse(waiting, transaction.row, {
        unmounted: this.unmounted && transaction.row.state === 'ABSENT',
        remaining: counts.claimed + counts.held,
        problem: this.#problemFor(waiting, transaction),
      });
      await transaction.operations.end(successEnd(response), subjectOf(waiting));
      this.#answers.push({ waiting, result: { response } });
    }
  }

  /** That data was lost is not told to a job that had left before the mount was made. */
  #problemFor(waiting: WaitingRequest, { row }: TargetTransaction): UnmountResult['problem'] {
    const found = this.problem ?? endedBadly(row);
    if (waiting.leftBefore && found?.code === 'UNMOUNTED_DIRTY') return waiting.problem;
    return found ?? waiting.problem;
  }

  /** Gives the callers the answers of a transaction that was committed. */
  deliver(): void {
    for (const { waiting, result } of this.#answers) {
      this.waiting.delete(waiting);
      if ('response' in result) waiting.answer(result.response);
      else waiting.fail(result.error);
    }
    this.#answers = [];
    this.#committed = this.#draft();
  }

  /** Forgets what a transaction that was not committed has decided and learned. To be called when one begins. */
  discard(): void {
    const { mounted, ...others } = this.#committed;
    Object.assign(this, others);
    this.#mounted = new Set(mounted);
    this.#answers = [];
  }

  /** Fails all that wait, after an error that leaves the ledger as it may be. */
  failAll(error: DmsError): void {
    for (const waiting of [...this.waiting]) {
      this.waiting.delete(waiting);
      waiting.fail(error);
    }
  }

  #draft(): Draft {
    const { lease, place, hadItsTurn, confirmedIncarnation, nodeAnswers, staleReplies } = this;
    const { unmounted, problem, legacyEnded, suspicious } = this;
    return {
      ...{ lease, place, hadItsTurn, confirmedIncarnation, nodeAnswers, staleReplies },
      ...{ unmounted, problem, legacyEnded, suspicious, mounted: new Set(this.#mounted) },
    };
  }

  #open(action: 'mount' | 'unmount'): WaitingRequest[] {
    const decided = new Set(this.#answers.map(({ waiting }) => waiting));
    return [...this.waiting].filter((w) => w.action === action && !w.answered && !decided.has(w));
  }
}
