import { Injectable } from '@nestjs/common';

/** Values that are observed at the most. The one that was not asked for the longest is forgotten first. */
const MOST = 20_000;

interface Observation {
  readonly value: string;
  /** When this process saw the value first, by performance.now(). */
  readonly since: number;
}

/**
 * Tells how long values in the ledger have not changed, by this process's own monotonic clock. The clocks of databases
 * jump, and differ between the nodes of a cluster: so whoever renews something changes a counter, and whoever wants to
 * take it over has seen the same counter for the whole duration.
 *
 * What this process has not seen before counts as just changed. Forgetting is safe: it only delays a takeover.
 */
@Injectable()
export class ObservedChanges {
  readonly #observations = new Map<string, Observation>();

  /**
   * Notes the value that is read now.
   *
   * @param name of the row, unique in the ledger
   * @returns the milliseconds since this process saw this value first; 0 if it is new
   */
  unchangedMs(name: string, value: string): number {
    const known = this.#observations.get(name);
    const observation = known?.value === value ? known : { value, since: performance.now() };
    // Set anew, so that the map is in the order of use.
    this.#observations.delete(name);
    this.#observations.set(name, observation);
    if (this.#observations.size > MOST) {
      for (const oldest of this.#observations.keys()) {
        this.#observations.delete(oldest);
        break;
      }
    }
    return performance.now() - observation.since;
  }

  /** True if the value has not changed for `ms`, and this process has watched it all that time. */
  isStale(name: string, value: string, ms: number): boolean {
    return this.unchangedMs(name, value) >= ms;
  }
}
