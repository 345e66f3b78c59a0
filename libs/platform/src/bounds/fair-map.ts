/**
 * A map with a bound that its owners share: beyond it, the owner that has most of it loses what was set longest ago. So an
 * owner that fills it takes nothing from the others.
 */
export class FairMap<V> {
  readonly #owners = new Map<string, Map<string, V>>();
  #size = 0;

  /** @param most entries that it holds at the most, of all owners */
  constructor(private readonly most: number) {}

  get size(): number {
    return this.#size;
  }

  /** Those that have an entry, the one that was named longest ago first. */
  owners(): string[] {
    return [...this.#owners.keys()];
  }

  /** The entries of an owner, the one that was set longest ago first. */
  of(owner: string): ReadonlyMap<string, V> {
    return this.#owners.get(owner) ?? new Map<string, V>();
  }

  set(owner: string, key: string, value: V): void {
    this.delete(owner, key);
    const entries = this.#owners.get(owner) ?? new Map<string, V>();
    this.#owners.set(owner, entries.set(key, value));
    this.#size += 1;
    if (this.#size > this.most) this.#forgetOne();
  }

  delete(owner: string, key: string): void {
    const entries = this.#owners.get(owner);
    if (entries?.delete(key) !== true) return;
    this.#size -= 1;
    if (entries.size === 0) this.#owners.delete(owner);
  }

  #forgetOne(): void {
    let [richest, most] = ['', 0];
    for (const [owner, { size }] of this.#owners) if (size > most) [richest, most] = [owner, size];
    for (const oldest of this.of(richest).keys()) return this.delete(richest, oldest);
  }
}
