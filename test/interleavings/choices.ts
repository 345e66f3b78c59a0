/** One place where a schedule can go on in several ways. */
interface Choice {
  taken: number;
  readonly ways: number;
}

/**
 * Goes through all schedules, depth first: each run makes the choices of the one before, but for the last that has
 * a way left.
 */
export class Choices {
  readonly #path: Choice[] = [];
  #depth = 0;

  /** The way to take at this place, of `ways`; the first time it is the first. */
  choose(ways: number): number {
    const known = this.#path.at(this.#depth);
    this.#depth += 1;
    if (known === undefined) {
      this.#path.push({ taken: 0, ways });
      return 0;
    }
    if (known.ways !== ways) throw new Error('A schedule did not go the same way twice');
    return known.taken;
  }

  /** Prepares the next schedule; false where all have been gone through. */
  next(): boolean {
    this.#depth = 0;
    for (let last = this.#path.at(-1); last !== undefined; last = this.#path.at(-1)) {
      last.taken += 1;
      if (last.taken < last.ways) return true;
      this.#path.pop();
    }
    return false;
  }
}
