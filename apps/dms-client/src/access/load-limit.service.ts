import { Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { RareWarnings } from '@app/platform';
import { type Identity } from './identity';
import { Pace } from './pace';

/** An accepted request waits about so long for its turn, in milliseconds, while more come than can be carried out. */
const TARGET_MS = 50;
/** So many may wait however slow the last ones were. */
const LEAST = 16;
/** So many may come at once. */
const BURST = 200;
/** There is an overload once more than have their turn in time have each waited for so long... */
const STANDING_MS = 500;
/** ...until none was refused for so long. */
const CALM_MS = 500;
/** The part of the places that one caller may have. */
const SHARE_OF_CALLER = 0.75;
/** Who has waited longer than this waits for something else than a turn. */
const OTHER_WAIT_MS = 1_000;
const RETRY_AFTER_S = 1;

/** What is looked at of Express' response, which stands for its request. */
interface Answer {
  readonly closed: boolean;
  once(event: 'close', listener: () => void): unknown;
}

interface Waiting {
  readonly since: number;
  readonly caller: string | null;
}

/**
 * Bounds the time for which requests wait for their turn: while more come than can be carried out, those that would wait
 * long are refused at once, and the others notice little. A request waits from when its caller is known until it has ended,
 * or waits for a node only.
 */
@Injectable()
export class LoadLimitService {
  readonly #warnings = new RareWarnings(new Logger('Load'));
  /** By their responses, in the order in which they came. */
  readonly #waiting = new Map<Answer, Waiting>();
  readonly #ofCaller = new Map<string, number>();
  readonly #pace = new Pace();
  /** When the last sign of an overload was seen, by performance.now(). */
  #overloadedAt = -Infinity;

  /** To be asked before anything is done for a request: false where it would wait long. */
  hasRoom(): boolean {
    const now = performance.now();
    this.#letGo(now);
    if (this.#waiting.size < this.#most(now)) return true;
    this.#overloadedAt = now;
    this.#warnings.warn('More requests come than can be carried out in time: some are refused');
    return false;
  }

  /**
   * Counts a request until it has ended. While its token is checked elsewhere it does not wait for a turn here: strangers
   * take no places.
   *
   * @throws DmsError OVERLOADED
   */
  begin(response: Answer, { name, proven }: Identity): void {
    if (!this.hasRoom()) throw overloaded();
    const caller = proven ? name : null;
    const count = caller === null ? 0 : (this.#ofCaller.get(caller) ?? 0);
    const now = performance.now();
    if (count >= this.#most(now) * SHARE_OF_CALLER) throw overloaded();
    if (response.closed) return;
    this.#waiting.set(response, { since: now, caller });
    if (caller !== null) this.#ofCaller.set(caller, count + 1);
    response.once('close', () => this.standAside(response));
  }

  /** The request waits for something else than this program and its ledger now, or has ended. */
  standAside(response: Answer): void {
    const waiting = this.#waiting.get(response);
    if (waiting === undefined) return;
    this.#waiting.delete(response);
    this.#pace.count(performance.now());
    if (waiting.caller === null) return;
    const left = (this.#ofCaller.get(waiting.caller) ?? 1) - 1;
    if (left > 0) this.#ofCaller.set(waiting.caller, left);
    else this.#ofCaller.delete(waiting.caller);
  }

  /** How many may wait now. */
  #most(now: number): number {
    const most = Math.max(LEAST, (this.#pace.perSecond(now) * TARGET_MS) / 1000);
    if (this.#haveWaited(now, most)) this.#overloadedAt = now;
    return now - this.#overloadedAt < CALM_MS ? most : BURST;
  }

  /** Whether at least so many have waited for long: a few may be slow by themselves. */
  #haveWaited(now: number, count: number): boolean {
    let long = 0;
    for (const { since } of this.#waiting.values()) {
      if (now - since < STANDING_MS) return false;
      long += 1;
      if (long >= count) return true;
    }
    return false;
  }

  #letGo(now: number): void {
    for (const [response, { since }] of this.#waiting) {
      if (now - since < OTHER_WAIT_MS) return;
      this.standAside(response);
    }
  }
}

export function overloaded(): DmsError {
  const message = `More requests come than can be carried out in time; nothing was done. Try again in ${RETRY_AFTER_S} s`;
  return new DmsError('OVERLOADED', message, { details: { retry_after_s: RETRY_AFTER_S } });
}
