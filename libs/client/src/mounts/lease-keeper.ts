import { ConflictError, NotFoundError } from '../errors';
import { pause } from '../http/retrying';

/** Renews a lease at every third of it, until it is stopped. */
export class LeaseKeeper {
  readonly #controller = new AbortController();
  readonly #running: Promise<void>;

  /**
   * @param renew makes the lease last so many seconds more
   * @param onLost is told once that there is no hold to renew any more
   */
  constructor(
    leaseS: number,
    renew: (signal: AbortSignal) => Promise<unknown>,
    onLost: (error: Error) => void,
  ) {
    this.#running = this.#run(leaseS, renew, onLost);
  }

  /** A renewal that is under way is given up. */
  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#running;
  }

  async #run(
    leaseS: number,
    renew: (signal: AbortSignal) => Promise<unknown>,
    onLost: (error: Error) => void,
  ): Promise<void> {
    const { signal } = this.#controller;
    for (;;) {
      await pause((leaseS * 1_000) / 3, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await renew(signal);
      } catch (error) {
        // All else may pass before the lease ends.
        if (!(error instanceof NotFoundError || error instanceof ConflictError)) continue;
        onLost(error);
        return;
      }
    }
  }
}
