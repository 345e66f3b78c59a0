import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { keyText, type TargetKey } from '../ledger/target-key';
import { HOST_LOCK, type HostLock } from '../locks/host-lock.interface';
import { IntakeService } from './intake.service';
import { TargetDriver } from './target-driver.service';
import { doneFor, jobOf, type WaitingRequest } from './waiting-request';

/** Requests that may wait in this process for one target to be taken in. */
const MAX_INBOX = 10_000;
const MAX_BATCH = 200;
const RETRY_MS = 500;

interface TargetWork {
  readonly key: TargetKey;
  /** Not yet taken in. */
  readonly inbox: WaitingRequest[];
  /** Taken in; the driver works on them. */
  readonly waiting: Set<WaitingRequest>;
  takingIn: boolean;
  driving: boolean;
}

/**
 * Brings the requests of this process for one target together: those that meet share one transaction and one
 * command. Claims are written at once, also while a command of the target is under way.
 */
@Injectable()
export class TargetCoordinator {
  readonly #log = new Logger(TargetCoordinator.name);
  readonly #work = new Map<string, TargetWork>();

  constructor(
    private readonly intake: IntakeService,
    private readonly driver: TargetDriver,
    @Inject(HOST_LOCK) private readonly hostLock: HostLock,
  ) {}

  /** Takes a request; its `answer` or `fail` is called later. */
  submit(key: TargetKey, request: WaitingRequest): void {
    const work = this.#of(key);
    if (work.inbox.length >= MAX_INBOX) {
      request.fail(new DmsError('BUSY', 'Too many requests wait for this target'));
      return;
    }
    work.inbox.push(request);
    void this.#takeIn(work);
  }

  /**
   * Settles what is open in the row of a target, unless that is being done.
   *
   * @param suspicious something contradicts the row: the node is fenced before it is believed
   * @returns whether it came to rest
   */
  async settle(key: TargetKey, suspicious = false): Promise<boolean> {
    const work = this.#of(key);
    return work.driving ? true : this.#drive(work, suspicious);
  }

  /** Ids of the operations that this process works on. */
  liveOperations(): string[] {
    return [...this.#work.values()].flatMap(({ inbox, waiting }) =>
      [...inbox, ...waiting].map(({ operationId }) => operationId),
    );
  }

  /**
   * Fails what this process has not ended yet, for it is about to go.
   *
   * @param unfinished for what was begun: others find out what became of it
   * @param refused for what was not begun
   */
  giveUp(unfinished: DmsError, refused: DmsError): void {
    for (const { inbox, waiting } of this.#work.values()) {
      for (const request of inbox.splice(0)) request.fail(refused);
      for (const request of waiting) request.fail(unfinished);
    }
  }

  #of(key: TargetKey): TargetWork {
    const text = keyText(key);
    const known = this.#work.get(text);
    if (known !== undefined) return known;
    const work: TargetWork = { key, inbox: [], waiting: new Set(), takingIn: false, driving: false };
    this.#work.set(text, work);
    return work;
  }

  async #takeIn(work: TargetWork): Promise<void> {
    if (work.takingIn) return;
    work.takingIn = true;
    while (work.inbox.length > 0) await this.#takeBatch(work, nextBatch(work.inbox));
    work.takingIn = false;
    this.#forgetIfIdle(work);
  }

  /** Never rejects: an error is the answer of the requests. */
  async #takeBatch(work: TargetWork, batch: readonly WaitingRequest[]): Promise<void> {
    try {
      const results = await doneFor(batch.at(0), () =>
        this.hostLock.whileHeld(() => this.intake.take(work.key, batch)),
      );
      for (const [request, result] of results) {
        if (result.kind === 'waits') request.taken();
        if (result.kind === 'answer') request.answer(result.response);
        else if (result.kind === 'error') request.fail(result.error);
        else if (!request.answered) work.waiting.add(request);
      }
    } catch (error) {
      for (const request of batch) request.fail(DmsError.from(error));
    }
    if (work.waiting.size > 0) void this.#drive(work);
  }

  /** Never rejects: the driver answers its requests also when it fails. */
  async #drive(work: TargetWork, suspicious = false): Promise<boolean> {
    if (work.driving) return true;
    work.driving = true;
    let atRest = await this.#driveOnce(work, suspicious);
    while (stillWaiting(work)) {
      // What could not be settled just now is not tried again at once.
      if (!atRest) await sleep(RETRY_MS);
      atRest = await this.#driveOnce(work, false);
    }
    work.driving = false;
    this.#forgetIfIdle(work);
    return atRest;
  }

  async #driveOnce(work: TargetWork, suspicious: boolean): Promise<boolean> {
    try {
      const [first] = work.waiting;
      return await doneFor(first, () =>
        this.hostLock.whileHeld(() => this.driver.drive(work.key, work.waiting, suspicious)),
      );
    } catch (error) {
      this.#log.warn({ msg: 'A target cannot be worked on yet', ...work.key, err: error });
      return false;
    }
  }

  #forgetIfIdle(work: TargetWork): void {
    const idle = !work.driving && !work.takingIn && work.inbox.length === 0 && work.waiting.size === 0;
    if (idle) this.#work.delete(keyText(work.key));
  }
}

/** Requests came in after the last decision. Those that were answered meanwhile, by their time-out, are let go. */
function stillWaiting({ waiting }: TargetWork): boolean {
  for (const request of waiting) if (request.answered) waiting.delete(request);
  return waiting.size > 0;
}

/** The longest beginning of the inbox with one kind of request and each job only once: order has a meaning. */
function nextBatch(inbox: WaitingRequest[]): WaitingRequest[] {
  const jobs = new Set<number>();
  let length = 0;
  for (const request of inbox.slice(0, MAX_BATCH)) {
    if (request.action !== inbox[0].action || jobs.has(jobOf(request))) break;
    jobs.add(jobOf(request));
    length += 1;
  }
  return inbox.splice(0, length);
}
