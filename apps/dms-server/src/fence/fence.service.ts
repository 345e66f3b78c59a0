import { Inject, Injectable, Logger } from '@nestjs/common';
import { type EnvelopeDto } from '@app/contracts';
import { FENCE_MEMORY, type FenceMemory } from './fence-memory.interface';
import { emptyRecord, type RecordedOutcome, type TargetRecord } from './target-record';

/**
 * - `proceed`: the epoch is new and is remembered from now on: act;
 * - `repeat`: this very operation was received before: report, do not act;
 * - `stale`: of another incarnation, or overtaken: leave the kernel alone;
 * - `foreign`: of another ledger than the one of which something is mounted or under way here: refuse it.
 */
export type Admission = 'proceed' | 'repeat' | 'stale' | 'foreign';

/** What a command may change in the memory of its target. */
export type RecordChanges = Partial<
  Pick<TargetRecord, 'mountedAs' | 'legacyHolders' | 'epochHolder' | 'flushProblem'>
>;

/** Keeps the rules that an epoch authorises one operation once, and that a node serves one ledger at a time. */
@Injectable()
export class FenceService {
  readonly #logger = new Logger(FenceService.name);

  constructor(@Inject(FENCE_MEMORY) private readonly memory: FenceMemory) {}

  get incarnation(): string {
    return this.memory.incarnation;
  }

  get bootId(): string {
    return this.memory.bootId;
  }

  /** The ledger whose commands were obeyed last; null: none is remembered. */
  get ledger(): string | null {
    return this.memory.ledger;
  }

  /** The ledger of which something is mounted here, so that another one's commands are refused; null: none. */
  get servedLedger(): string | null {
    return this.memory.all().some(({ mountedAs }) => mountedAs !== null) ? this.memory.ledger : null;
  }

  recordOf(targetId: string): TargetRecord {
    return this.memory.get(targetId) ?? emptyRecord(targetId);
  }

  records(): readonly TargetRecord[] {
    return this.memory.all();
  }

  /**
   * Decides on a command when it is received, before it is queued. `proceed` is written to the memory at once, so that
   * a restarted server knows that the operation may have begun.
   *
   * Another ledger than the one that is remembered is let in where nothing of that one is left, under a new
   * incarnation: so what is refused here was never obeyed, nor will it be when its ledger comes back.
   *
   * Where there is no room for the target, those of which nothing is left are forgotten, also under a new incarnation.
   *
   * @param underWay whether a command of any target waits here or is worked on
   * @throws DmsError INTERNAL if the memory cannot be written, NODE_FULL if it has no room: the command is to be refused
   */
  admit(targetId: string, envelope: EnvelopeDto, underWay = false): Admission {
    if (envelope.incarnation !== this.memory.incarnation) return 'stale';
    const ledger = envelope.ledger ?? null;
    if (ledger !== null && this.memory.ledger !== null && ledger !== this.memory.ledger) {
      if (underWay || this.servedLedger !== null) return 'foreign';
      this.#changeLedger(ledger);
      return 'stale';
    }
    const record = this.recordOf(targetId);
    if (envelope.epoch < record.epoch) return 'stale';
    if (envelope.epoch === record.epoch) {
      return envelope.operation_id === record.operationId ? 'repeat' : 'stale';
    }
    if (this.memory.isFull && this.memory.get(targetId) === null && !underWay && this.#makeRoom())
      return 'stale';
    if (ledger !== null && this.memory.ledger === null) this.memory.takeLedger(ledger);
    this.memory.save({
      ...record,
      epoch: envelope.epoch,
      operationId: envelope.operation_id,
      outcome: null,
    });
    return 'proceed';
  }

  /**
   * Lets the next ledger in that comes, whatever is mounted; all that was sent until now is overtaken.
   *
   * @returns the one that was remembered; null: there was none
   * @throws DmsError INTERNAL if the memory cannot be written
   */
  forgetLedger(): string | null {
    const { ledger } = this.memory;
    if (ledger !== null) this.#changeLedger(null);
    return ledger;
  }

  /**
   * Remembers how an operation ended, for its repeats. Nothing happens if a later operation was received meanwhile.
   * That it cannot be written is no reason to deny what was done: a repeat will be answered by a look then.
   */
  settle(targetId: string, envelope: EnvelopeDto, outcome: RecordedOutcome): void {
    const record = this.recordOf(targetId);
    if (record.epoch !== envelope.epoch || record.operationId !== envelope.operation_id) return;
    this.#try(() => this.memory.save({ ...record, outcome }), targetId);
  }

  /** @throws DmsError INTERNAL if it cannot be written */
  remember(targetId: string, changes: RecordChanges): void {
    this.memory.save({ ...this.recordOf(targetId), ...changes });
  }

  /** As {@link remember}, for what was seen rather than decided: it can be seen again. */
  note(targetId: string, changes: RecordChanges): void {
    this.#try(() => this.remember(targetId, changes), targetId);
  }

  /** Forgets a mount that is gone, and with it its holders. */
  noteAbsent(targetId: string): void {
    const { mountedAs, legacyHolders, epochHolder } = this.recordOf(targetId);
    if (mountedAs === null && legacyHolders.length === 0 && !epochHolder) return;
    this.note(targetId, { mountedAs: null, legacyHolders: [], epochHolder: false });
  }

  #makeRoom(): boolean {
    const isMade = this.memory.makeRoom();
    const msg = 'Targets of which nothing was left are forgotten, to make room';
    if (isMade) this.#logger.warn({ msg, incarnation: this.memory.incarnation });
    return isMade;
  }

  #changeLedger(ledger: string | null): void {
    const before = this.memory.ledger;
    this.memory.changeLedger(ledger);
    const msg =
      ledger === null ? 'The next ledger that comes is served' : 'Another ledger is served from now on';
    this.#logger.warn({ msg, before, ledger, incarnation: this.memory.incarnation });
  }

  #try(write: () => void, targetId: string): void {
    try {
      write();
    } catch (error) {
      this.#logger.error({ msg: 'What was seen of a target cannot be remembered', targetId, err: error });
    }
  }
}
