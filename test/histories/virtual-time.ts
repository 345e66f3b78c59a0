interface Timer {
  readonly id: number;
  at: number;
  readonly everyMs: number | null;
  readonly run: () => void;
}

type Globals = Pick<typeof globalThis, 'setTimeout' | 'clearTimeout' | 'setInterval' | 'clearInterval'>;

/**
 * Time that passes only when it is told to, in place of the process's own: timers, `performance.now()` and
 * `Math.random()`, so that a history always goes the same way. What uses `node:timers/promises` has to be led to
 * `setTimeout` by the test file, for modules can only be replaced there.
 */
export class VirtualTime {
  now = 0;
  readonly #timers = new Map<number, Timer>();
  readonly #real: Globals = { setTimeout, clearTimeout, setInterval, clearInterval };
  readonly #realNow = performance.now.bind(performance);
  readonly #realRandom = Math.random;
  readonly #turn = setImmediate;
  #lastId = 0;
  #random = 1;

  install(): void {
    const start = (run: (...args: never[]) => void, ms = 0): number => this.#add(run, ms, null);
    const repeat = (run: (...args: never[]) => void, ms = 0): number => this.#add(run, ms, ms);
    const clear = (id: unknown): void => void this.#timers.delete(id as number);
    Object.assign(globalThis, {
      setTimeout: start,
      setInterval: repeat,
      clearTimeout: clear,
      clearInterval: clear,
    });
    performance.now = () => this.now;
    Math.random = () => {
      this.#random = (this.#random * 16_807) % 2_147_483_647;
      return this.#random / 2_147_483_647;
    };
  }

  uninstall(): void {
    Object.assign(globalThis, this.#real);
    performance.now = this.#realNow;
    Math.random = this.#realRandom;
    this.#timers.clear();
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#add(resolve, ms, null);
    });
  }

  /** Lets `ms` pass: every timer that comes due runs, and everything that follows from it at once. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    await this.#settle();
    for (let next = this.#next(end); next !== null; next = this.#next(end)) {
      this.now = Math.max(this.now, next.at);
      if (next.everyMs === null) this.#timers.delete(next.id);
      else next.at = this.now + Math.max(1, next.everyMs);
      next.run();
      await this.#settle();
    }
    this.now = end;
  }

  #next(end: number): Timer | null {
    let first: Timer | null = null;
    for (const timer of this.#timers.values()) {
      if (timer.at <= end && (first === null || timer.at < first.at)) first = timer;
    }
    return first;
  }

  #add(run: (...args: never[]) => void, ms: number, everyMs: number | null): number {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#timers.set(id, { id, at: this.now + Math.max(0, ms), everyMs, run: () => run() });
    return id;
  }

  /** Promises that need no time are kept within one turn of the event loop. */
  #settle(): Promise<void> {
    return new Promise((resolve) => {
      this.#turn(resolve);
    });
  }
}
