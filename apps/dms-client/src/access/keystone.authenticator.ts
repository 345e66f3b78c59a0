import { createHash } from 'node:crypto';
import { DmsError, Secret } from '@app/contracts';
import { type Authenticator, type Credentials } from './authenticator.interface';
import { type Identity } from './identity';
import { type KeystoneTokens } from './keystone-tokens.interface';
import { TokenBuckets } from './token-bucket';

const MAX_KNOWN = 10_000;
const MAX_REFUSED = 1_000;
/** A token that Keystone does not know is not asked about again for so long. */
const REFUSED_MS = 5_000;
const MAX_ASKED_AT_ONCE = 64;
/** Tokens that are not known here yet: so many a second from one address, and twice as many at once. */
const UNKNOWN_PER_SECOND = 50;

interface Known {
  readonly identity: Identity;
  /** By performance.now(). */
  readonly until: number;
}

/** `keystone`: the header `X-Auth-Token`, checked with Keystone. Tokens are remembered by their hash, for a short time. */
export class KeystoneAuthenticator implements Authenticator {
  readonly challenge: string;
  readonly #known = new Map<string, Known>();
  /** Until when, by performance.now(). */
  readonly #refused = new Map<string, number>();
  readonly #asked = new Map<string, Promise<Identity | null>>();
  readonly #unknown = new TokenBuckets(UNKNOWN_PER_SECOND, 2 * UNKNOWN_PER_SECOND);

  /** @param cacheMs how long Keystone's word counts at most; it never counts longer than the token */
  constructor(
    private readonly keystone: KeystoneTokens,
    private readonly cacheMs: number,
    authUrl: string,
  ) {
    const { protocol, host, pathname } = new URL(authUrl);
    this.challenge = `Keystone uri="${protocol}//${host}${pathname}"`;
  }

  async authenticate({ headers, socket }: Credentials): Promise<Identity> {
    const token = headers['x-auth-token'];
    if (typeof token !== 'string' || token === '') {
      throw new DmsError('UNAUTHENTICATED', 'The header X-Auth-Token with a Keystone token is missing');
    }
    const key = createHash('sha256').update(token).digest('base64');
    const identity = this.#remembered(key) ?? (await this.#find(key, token, socket.remoteAddress ?? ''));
    if (identity === null || isOver(identity)) {
      throw new DmsError(
        'UNAUTHENTICATED',
        'Keystone does not know the token: it is wrong, has expired or was revoked',
      );
    }
    return identity;
  }

  #remembered(key: string): Identity | null {
    const known = this.#known.get(key);
    if (known === undefined) return null;
    if (performance.now() < known.until && !isOver(known.identity)) return known.identity;
    this.#known.delete(key);
    return null;
  }

  /** @returns null where Keystone does not know the token */
  #find(key: string, token: string, address: string): Promise<Identity | null> {
    const underWay = this.#asked.get(key);
    if (underWay !== undefined) return underWay;
    if (performance.now() < (this.#refused.get(key) ?? 0)) return Promise.resolve(null);
    const waitS = this.#unknown.take(address);
    if (waitS > 0 || this.#asked.size >= MAX_ASKED_AT_ONCE) {
      const details = { retry_after_s: Math.max(1, Math.ceil(waitS)) };
      return Promise.reject(
        new DmsError('RATE_LIMITED', 'Too many tokens are to be checked at once', { details }),
      );
    }
    const asking = this.#ask(key, token).finally(() => this.#asked.delete(key));
    this.#asked.set(key, asking);
    return asking;
  }

  async #ask(key: string, token: string): Promise<Identity | null> {
    const askedAt = performance.now();
    const identity = await this.keystone.identify(new Secret(token));
    if (identity === null) remember(this.#refused, key, askedAt + REFUSED_MS, MAX_REFUSED);
    else remember(this.#known, key, { identity, until: askedAt + this.cacheMs }, MAX_KNOWN);
    return identity;
  }
}

function isOver({ expiresAt }: Identity): boolean {
  return expiresAt !== null && expiresAt <= Date.now();
}

/** Keeps at most `most`; the one that was put in first goes. */
function remember<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
