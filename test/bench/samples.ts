/** Durations in milliseconds of what was done again and again. */
export class Samples {
  readonly #values: number[] = [];

  /** Does `work` and keeps how long it took. */
  async time<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const result = await work();
    this.keep(performance.now() - began);
    return result;
  }

  keep(milliseconds: number): void {
    this.#values.push(milliseconds);
  }

  get count(): number {
    return this.#values.length;
  }

  get median(): number {
    return this.quantile(0.5);
  }

  /** @param part from 0 to 1, e.g. 0.99 */
  quantile(part: number): number {
    const sorted = [...this.#values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
  }
}
