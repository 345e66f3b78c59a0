import { RecentMap } from '@app/platform';

/** Buckets that are remembered; of more callers the one that called least of late is forgotten. */
const MAX_BUCKETS = 10_000;

interface Bucket {
  tokens: number;
  /** By the clock, in milliseconds. */
  filledAt: number;
}

/** A token bucket for each name: so many takes a second, and `burst` at once. */
export class TokenBuckets {
  readonly #buckets = new RecentMap<string, Bucket>(MAX_BUCKETS);

  /**
   * @param perSecond 0: no limit
   * @param now milliseconds of a clock that never goes back
   */
  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Takes one. @returns 0, or after how many seconds there is one again (none was taken then) */
  take(name: string): number {
    if (this.perSecond === 0) return 0;
    const bucket = this.#filled(name);
    if (bucket.tokens < 1) return (1 - bucket.tokens) / this.perSecond;
    bucket.tokens -= 1;
    return 0;
  }

  #filled(name: string): Bucket {
    const now = this.now();
    const bucket = this.#buckets.get(name) ?? { tokens: this.burst, filledAt: now };
    bucket.tokens = Math.min(this.burst, bucket.tokens + ((now - bucket.filledAt) / 1000) * this.perSecond);
    bucket.filledAt = now;
    this.#buckets.set(name, bucket);
    return bucket;
  }
}
