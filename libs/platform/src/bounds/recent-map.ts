/** A map with a bound: beyond it, the key that was set longest ago is forgotten. */
export class RecentMap<K, V> extends Map<K, V> {
  /** @param most keys that it holds at the most */
  constructor(private readonly most: number) {
    super();
  }

  override set(key: K, value: V): this {
    // Behind all others: the first key of a map is the one that was set longest ago.
    this.delete(key);
    super.set(key, value);
    const [oldest] = this.size > this.most ? this.keys() : [];
    if (oldest !== undefined) this.delete(oldest);
    return this;
  }
}
