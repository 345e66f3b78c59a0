import { type Identity, isOver } from './identity';

/** Tokens that are remembered, in all and of one user. */
const MOST = 20_000;
const MOST_OF_USER = 2_000;

/** What Keystone said of a token last. */
export interface KnownToken {
  readonly identity: Identity;
  /** When it was asked, by performance.now(). */
  readonly askedAt: number;
}

/**
 * The tokens that Keystone vouched for, by their hash, until they end. Of a user with very many the one that was checked
 * longest ago is forgotten: nobody takes the place of others.
 */
export class KnownTokens {
  readonly #known = new Map<string, KnownToken>();
  readonly #ofUser = new Map<string, Set<string>>();

  constructor(
    private readonly most = MOST,
    private readonly mostOfUser = MOST_OF_USER,
  ) {}

  get(key: string): KnownToken | null {
    const known = this.#known.get(key);
    if (known === undefined) return null;
    if (!isOver(known.identity)) return known;
    this.forget(key);
    return null;
  }

  remember(key: string, known: KnownToken): void {
    this.forget(key);
    this.#known.set(key, known);
    const user = userOf(known);
    const keys = this.#ofUser.get(user) ?? new Set();
    this.#ofUser.set(user, keys.add(key));
    if (keys.size > this.mostOfUser) this.#forgetFirst(keys);
    if (this.#known.size > this.most) this.#forgetFirst(this.#known.keys());
  }

  forget(key: string): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    const keys = this.#ofUser.get(userOf(known));
    keys?.delete(key);
    if (keys?.size === 0) this.#ofUser.delete(userOf(known));
  }

  #forgetFirst(keys: Iterable<string>): void {
    for (const key of keys) return this.forget(key);
  }
}

function userOf({ identity: { userId, name } }: KnownToken): string {
  return userId ?? name;
}
