import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { DmsError, type Secret } from '@app/contracts';
import { type HttpAnswer, HttpReader, keystoneUrl } from '@app/platform';
import { type ClientSettings } from '../settings/client.settings';
import { type Identity } from './identity';
import { type KeystoneTokens } from './keystone-tokens.interface';

const DEADLINE_MS = 5_000;
const MAX_BODY_BYTES = 256 * 1024;
/** More than unknown tokens take at once, so that checks of others need not wait for theirs. */
const CONNECTIONS = 96;

interface TokenBody {
  readonly expires_at: string;
  readonly user: { readonly id: string };
  readonly project?: { readonly id: string };
  readonly roles?: readonly { readonly name: string }[];
  /** Where Keystone names one project whose administrators are those of the cloud: whether this is it. */
  readonly is_admin_project?: boolean;
}

/**
 * Validates tokens by Keystone's `GET /v3/auth/tokens`. The token itself is what asks: Keystone lets everybody
 * validate the own token, so that this service needs no account.
 */
@Injectable()
export class KeystoneTokensAdapter implements KeystoneTokens, OnApplicationShutdown {
  readonly #log = new Logger(KeystoneTokensAdapter.name);
  readonly #url: string;
  readonly #http: HttpReader;

  constructor(authUrl: string, tls: Pick<ClientSettings, 'caFile' | 'insecureTls'>) {
    const { caFile, insecureTls } = tls;
    this.#url = keystoneUrl(authUrl, '/auth/tokens?nocatalog');
    this.#http = new HttpReader({
      caFile,
      insecureTls,
      maxBodyBytes: MAX_BODY_BYTES,
      connections: CONNECTIONS,
    });
  }

  async identify(token: Secret): Promise<Identity | null> {
    const { status, body: text } = await this.#ask(token);
    // 401: it is not good to ask with; 404: it asked, and may be asked about by others only.
    if (status === 401 || status === 404) return null;
    const body = status === 200 ? tokenIn(text) : null;
    if (body === null)
      throw this.#unavailable(
        status === 200 ? 'answered with something else than a token' : `answered ${status}`,
      );
    return identityOf(body);
  }

  /** After the facade has closed: requests that came before the stop still have their tokens checked. */
  onApplicationShutdown(): Promise<void> {
    return this.#http.close();
  }

  async #ask(token: Secret): Promise<HttpAnswer> {
    const headers = {
      accept: 'application/json',
      'x-auth-token': token.reveal(),
      'x-subject-token': token.reveal(),
    };
    try {
      return await this.#http.get(this.#url, headers, DEADLINE_MS);
    } catch (error) {
      throw this.#unavailable((error as Error).message);
    }
  }

  #unavailable(reason: string): DmsError {
    this.#log.warn(`Tokens cannot be checked: Keystone ${reason}`);
    return new DmsError('AUTH_UNAVAILABLE', `The token cannot be checked at the moment: Keystone ${reason}`);
  }
}

function tokenIn(text: string): TokenBody | null {
  try {
    const { token } = JSON.parse(text) as { token?: Partial<TokenBody> };
    const fits = typeof token?.user?.id === 'string' && Number.isFinite(Date.parse(String(token.expires_at)));
    return fits ? (token as TokenBody) : null;
  } catch {
    return null;
  }
}

function identityOf({ user, project, roles = [], expires_at, is_admin_project }: TokenBody): Identity {
  const projectId = project?.id ?? null;
  const isAdmin = is_admin_project !== false;
  return {
    name: `user ${user.id}${projectId === null ? '' : ` of project ${projectId}`}`,
    userId: user.id,
    projectId,
    roles: roles.map(({ name }) => (name === 'admin' && !isAdmin ? 'member' : name)),
    proven: true,
    expiresAt: Date.parse(expires_at),
  };
}
