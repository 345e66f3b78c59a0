import { type LeasedBinding } from './leased-bindings.repository';

/** A longer silence between two beats, in milliseconds, is time without service. */
const GAP_MS = 6_000;

interface Watched {
  value: string;
  /** By the time in which there was service. */
  deadlineMs: number;
  round: number;
}

/**
 * Watches the leases of bindings by this process's own monotonic clock, because the clocks of databases jump. The clock
 * stands still while there is no service: a lease expires only by time in which its job could renew it.
 *
 * A process that starts knows nothing of the time before: all leases begin anew for it.
 */
export class LeaseWatch {
  readonly #watched = new Map<number, Watched>();
  #serviceMs = 0;
  #lastBeat: number | null = null;
  #round = 0;

  /**
   * Says that leases can be renewed now.
   *
   * @returns the milliseconds without service that have ended now; 0 if there was service
   */
  beat(): number {
    const now = performance.now();
    const silentMs = this.#lastBeat === null ? 0 : now - this.#lastBeat;
    this.#lastBeat = now;
    if (silentMs > GAP_MS) return silentMs;
    this.#serviceMs += silentMs;
    return 0;
  }

  /**
   * Notes bindings as they are now.
   *
   * @returns those whose lease and grace are over: nothing has renewed them for all that time
   */
  expired(bindings: readonly LeasedBinding[], graceMs: number): LeasedBinding[] {
    return bindings.filter((binding) => {
      const { id, value, leaseS } = binding;
      const known = this.#watched.get(id);
      const watched = known ?? { value: '', deadlineMs: 0, round: 0 };
      watched.round = this.#round;
      if (watched.value !== value) {
        // A lease is never made shorter.
        watched.deadlineMs = Math.max(watched.deadlineMs, this.#serviceMs + leaseS * 1000 + graceMs);
        watched.value = value;
      }
      if (known === undefined) this.#watched.set(id, watched);
      return this.#serviceMs >= watched.deadlineMs;
    });
  }

  /** Every binding that has a lease was noted since the last call: others have none any more. */
  endRound(): void {
    for (const [id, { round }] of this.#watched) if (round !== this.#round) this.#watched.delete(id);
    this.#round += 1;
  }
}
