import { createHash } from 'node:crypto';
import { DmsError, Secret } from '@app/contracts';
import { RecentMap } from '@app/platform';
import { type Authenticator, type Credentials } from './authenticator.interface';
import { type Identity, isOver } from './identity';
import { type KeystoneTokens } from './keystone-tokens.interface';
import { type KnownToken, KnownTokens } from './known-tokens';
import { TokenBuckets } from './token-bucket';

const MAX_REFUSED = 1_000;
/** A token that Keystone does not know is not asked about again for so long. */
const REFUSED_MS = 5_000;
/** Tokens that are checked at once for the first time: in all, and of one address. */
const MAX_ASKED = 64;
const MAX_ASKED_OF_ADDRESS = 48;
/** Tokens that were valid have checks of their own. */
const MAX_ASKED_AGAIN = 1_000;
/** Tokens that are not known here yet: so many a second from one address, and twice as many at once. */
const UNKNOWN_PER_SECOND = 50;
/** A token that is used is checked again after this part of the time for which Keystone's word counts. */
const RENEWED_AFTER = 0.5;

/**
 * `keystone`: the header `X-Auth-Token`, checked with Keystone. Tokens are remembered by their hash until they end; the
 * word of Keystone counts for a short time, and is renewed beside the requests that use it. Whoever comes with unknown
 * tokens has a share of the checks, which those that were valid need not wait for.
 */
export class KeystoneAuthenticator implements Authenticator {
  readonly challenge: string;
  readonly #known = new KnownTokens();
  /** Until when, by performance.now(). */
  readonly #refused = new RecentMap<string, number>(MAX_REFUSED);
  readonly #asked = new Map<string, Promise<Identity | null>>();
  readonly #askedOf = new Map<string, number>();
  #askedAgain = 0;
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

  async authenticate({ headers, ip = '' }: Credentials): Promise<Identity> {
    const token = headers['x-auth-token'];
    if (typeof token !== 'string' || token === '') {
      throw new DmsError('UNAUTHENTICATED', 'The header X-Auth-Token with a Keystone token is missing');
    }
    const key = createHash('sha256').update(token).digest('base64');
    const known = this.#known.get(key);
    const identity = await (known === null ? this.#find(key, token, ip) : this.#look(key, token, known));
    if (identity === null || isOver(identity)) {
      throw new DmsError(
        'UNAUTHENTICATED',
        'Keystone does not know the token: it is wrong, has expired or was revoked',
      );
    }
    return identity;
  }

  /** @returns whose a token is that was valid when it was checked last; null where it was revoked */
  #look(key: string, token: string, { identity, askedAt }: KnownToken): Promise<Identity | null> | Identity {
    const ageMs = performance.now() - askedAt;
    if (ageMs >= this.cacheMs) return this.#askAgain(key, token);
    // What a check beside requests came to is met by the next request, which asks itself once the word does not count.
    if (ageMs >= this.cacheMs * RENEWED_AFTER) this.#askAgain(key, token).catch(() => undefined);
    return identity;
  }

  #askAgain(key: string, token: string): Promise<Identity | null> {
    const underWay = this.#asked.get(key);
    if (underWay !== undefined) return underWay;
    if (this.#askedAgain >= MAX_ASKED_AGAIN) return Promise.reject(tooMany(0));
    this.#askedAgain += 1;
    return this.#ask(key, token, () => (this.#askedAgain -= 1));
  }

  /** @returns null where Keystone does not know the token */
  #find(key: string, token: string, address: string): Promise<Identity | null> {
    const underWay = this.#asked.get(key);
    if (underWay !== undefined) return underWay;
    if (performance.now() < (this.#refused.get(key) ?? 0)) return Promise.resolve(null);
    const ofAddress = this.#askedOf.get(address) ?? 0;
    const isFull = ofAddress >= MAX_ASKED_OF_ADDRESS || this.#asked.size - this.#askedAgain >= MAX_ASKED;
    if (isFull) return Promise.reject(tooMany(0));
    const waitS = this.#unknown.take(address);
    if (waitS > 0) return Promise.reject(tooMany(waitS));
    this.#askedOf.set(address, ofAddress + 1);
    return this.#ask(key, token, () => {
      const left = (this.#askedOf.get(address) ?? 1) - 1;
      if (left > 0) this.#askedOf.set(address, left);
      else this.#askedOf.delete(address);
    });
  }

  #ask(key: string, token: string, atEnd: () => void): Promise<Identity | null> {
    const asking = this.#identify(key, token).finally(() => {
      this.#asked.delete(key);
      atEnd();
    });
    this.#asked.set(key, asking);
    return asking;
  }

  async #identify(key: string, token: string): Promise<Identity | null> {
    const askedAt = performance.now();
    const identity = await this.keystone.identify(new Secret(token));
    if (identity !== null) this.#known.remember(key, { identity, askedAt });
    else {
      this.#known.forget(key);
      this.#refused.set(key, askedAt + REFUSED_MS);
    }
    return identity;
  }
}

function tooMany(waitS: number): DmsError {
  const details = { retry_after_s: Math.max(1, Math.ceil(waitS)) };
  return new DmsError('RATE_LIMITED', 'Too many tokens are to be checked at once', { details });
}
