import { Inject, Injectable } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { type Identity } from './identity';
import { TokenBuckets } from './token-bucket';

/** So many seconds' worth of requests may come at once. */
const BURST_S = 2;
const ALL = 'all';

/** Bounds how often, and for how many requests at once, the service works: for each caller, and in all. */
@Injectable()
export class RequestLimitsService {
  readonly #rates: { readonly caller: TokenBuckets; readonly all: TokenBuckets };
  readonly #open = new Map<string, number>();

  constructor(@Inject(SETTINGS) private readonly settings: ClientSettings) {
    const { callerRate, totalRate } = settings;
    this.#rates = {
      caller: new TokenBuckets(callerRate, callerRate * BURST_S),
      all: new TokenBuckets(totalRate, totalRate * BURST_S),
    };
  }

  /**
   * Counts a request whose caller is not known yet.
   *
   * @returns what says that it has ended; to be called once
   * @throws DmsError RATE_LIMITED with `details.retry_after_s`
   */
  begin(): () => void {
    check(this.#rates.all.take(ALL), 'The service gets more requests than it takes');
    return this.#count(ALL, this.settings.maxRequests, 'The service works on as many requests as it takes');
  }

  /** Counts a request of a known caller, as {@link RequestLimitsService.begin}. Where nobody is asked, all are one. */
  beginOf({ name, proven }: Identity): () => void {
    if (!proven) return () => undefined;
    check(this.#rates.caller.take(name), 'This caller makes more requests than are taken of one');
    const message = 'As many requests of this caller are under way as are taken of one';
    return this.#count(`caller ${name}`, this.settings.maxCallerRequests, message);
  }

  #count(name: string, most: number, message: string): () => void {
    const open = this.#open.get(name) ?? 0;
    if (open >= most) check(1, message);
    this.#open.set(name, open + 1);
    return () => {
      const left = (this.#open.get(name) ?? 1) - 1;
      if (left === 0) this.#open.delete(name);
      else this.#open.set(name, left);
    };
  }
}

function check(waitS: number, message: string): void {
  if (waitS === 0) return;
  const seconds = Math.ceil(waitS);
  throw new DmsError('RATE_LIMITED', `${message}; try again in ${seconds} s`, {
    details: { retry_after_s: seconds },
  });
}
