import { Inject, Injectable, Logger } from '@nestjs/common';
import { type EnvelopeDto } from '@app/contracts';
import { FENCE_MEMORY, type FenceMemory } from './fence-memory.interface';
import { emptyRecord, type RecordedOutcome, type TargetRecord } from './target-record';

/**
 * - `proceed`: the epoch is new and is remembered from now on: act;
 * - `repeat`: this very operation was received before: report, do not act;
 * - `stale`: of another incarnation, or overtaken: leave the kernel alone.
 */
export type Admission = 'proceed' | 'repeat' | 'stale';

/** What a command may change in the memory of its target. */
export type RecordChanges = Partial<Pick<TargetRecord, 'mountedAs' | 'legacyHolder' | 'epochHolder'>>;

/** Keeps the rule that an epoch authorises one operation once. */
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
   * @throws DmsError INTERNAL if the memory cannot be written: the command is to be refused
   */
  admit(targetId: string, envelope: EnvelopeDto): Admission {
    if (envelope.incarnation !== this.memory.incarnation) return 'stale';
    const record = this.recordOf(targetId);
    if (envelope.epoch < record.epoch) return 'stale';
    if (envelope.epoch === record.epoch) {
      return envelope.operation_id === record.operationId ? 'repeat' : 'stale';
    }
    this.memory.save({
      ...record,
      epoch: envelope.epoch,
      operationId: envelope.operation_id,
      outcome: null,
    });
    return 'proceed';
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
    const { mountedAs, legacyHolder, epochHolder } = this.recordOf(targetId);
    if (mountedAs === null && !legacyHolder && !epochHolder) return;
    this.note(targetId, { mountedAs: null, legacyHolder: false, epochHolder: false });
  }

  #try(write: () => void, targetId: string): void {
    try {
      write();
    } catch (error) {
      this.#logger.error({ msg: 'What was seen of a target cannot be remembered', targetId, err: error });
    }
  }
}
