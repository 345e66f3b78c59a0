const SLOT_MS = 100;
const SLOTS = 10;

/** Counts how many things happened within the last second. */
export class Pace {
  readonly #counts = new Array<number>(SLOTS).fill(0);
  #slot = 0;
  #sum = 0;

  /** @param now milliseconds of a clock that never goes back */
  count(now: number): void {
    this.#turn(now);
    this.#counts[this.#slot % SLOTS] += 1;
    this.#sum += 1;
  }

  perSecond(now: number): number {
    this.#turn(now);
    return this.#sum;
  }

  #turn(now: number): void {
    const slot = Math.floor(now / SLOT_MS);
    const passed = Math.min(slot - this.#slot, SLOTS);
    this.#slot = slot;
    for (let back = 0; back < passed; back += 1) {
      const index = (slot - back) % SLOTS;
      this.#sum -= this.#counts[index];
      this.#counts[index] = 0;
    }
  }
}
