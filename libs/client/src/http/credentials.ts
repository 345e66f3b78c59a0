import { Secret } from '../../../contracts/src/plain';
import { errorOf } from '../errors';

/** A token, or what gives one; a function is called for each request, so that a token may be replaced. */
export type TokenSource = string | Secret | (() => string | Secret | Promise<string | Secret>);

export interface CredentialOptions {
  /** Bearer token, for a service with DMS_AUTH_MODE=token. */
  readonly token?: TokenSource;
  /** For a service with DMS_AUTH_MODE=keystone, and for requests that bring no `keystone_token` of their own. */
  readonly keystoneToken?: TokenSource;
}

/** Keeps the tokens out of sight: nothing of this object is printed. */
export class Credentials {
  readonly #bearer: TokenSource | undefined;
  readonly #keystone: TokenSource | undefined;

  constructor({ token, keystoneToken }: CredentialOptions) {
    this.#bearer = hidden(token);
    this.#keystone = hidden(keystoneToken);
  }

  async keystoneToken(): Promise<Secret | null> {
    return this.#keystone === undefined ? null : revealed('keystoneToken', this.#keystone);
  }

  /**
   * @param requestToken of the request's body; it says who asks where nothing else does
   * @throws RequestValidationError for a token that no header can carry
   */
  async headers(requestToken: Secret | null): Promise<Record<string, string>> {
    if (this.#bearer !== undefined) {
      return { authorization: `Bearer ${(await revealed('token', this.#bearer)).reveal()}` };
    }
    const token = (await this.keystoneToken()) ?? requestToken;
    return token === null ? {} : { 'x-auth-token': checked('keystone_token', token).reveal() };
  }
}

function hidden(source: TokenSource | undefined): TokenSource | undefined {
  return typeof source === 'string' ? new Secret(source) : source;
}

async function revealed(name: string, source: TokenSource): Promise<Secret> {
  const value = typeof source === 'function' ? await source() : source;
  return checked(name, typeof value === 'string' ? new Secret(value) : value);
}

function checked(name: string, token: Secret): Secret {
  if (/^[\x21-\x7e]+$/.test(token.reveal())) return token;
  throw errorOf(
    'VALIDATION_FAILED',
    `${name}: must consist of printable ASCII characters without spaces, one at least`,
  );
}
