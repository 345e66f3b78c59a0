import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { DmsError, type Secret } from '@app/contracts';
import { Agent, request } from 'undici';
import { type Identity } from './identity';
import { type KeystoneTokens } from './keystone-tokens.interface';

const DEADLINE_MS = 5_000;
const MAX_BODY_BYTES = 256 * 1024;
const CONNECTIONS = 16;

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
export class KeystoneTokensAdapter implements KeystoneTokens, OnModuleDestroy {
  readonly #log = new Logger(KeystoneTokensAdapter.name);
  readonly #url: string;
  #agent: Promise<Agent> | null = null;

  /** @param caFile trusted beside the authorities that Node.js trusts; null: none */
  constructor(
    authUrl: string,
    private readonly caFile: string | null,
  ) {
    this.#url = `${versioned(authUrl)}/auth/tokens?nocatalog`;
  }

  async identify(token: Secret): Promise<Identity | null> {
    const { status, text } = await this.#ask(token);
    // 401: it is not good to ask with; 404: it asked, and may be asked about by others only.
    if (status === 401 || status === 404) return null;
    const body = status === 200 ? tokenIn(text) : null;
    if (body === null) throw this.#unavailable(`answered ${status}`);
    return identityOf(body);
  }

  async onModuleDestroy(): Promise<void> {
    await (await this.#agent?.catch(() => null))?.destroy();
  }

  async #ask(token: Secret): Promise<{ status: number; text: string }> {
    try {
      const { statusCode, body } = await request(this.#url, {
        dispatcher: await this.#connections(),
        headers: {
          accept: 'application/json',
          'x-auth-token': token.reveal(),
          'x-subject-token': token.reveal(),
        },
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      return { status: statusCode, text: await body.text() };
    } catch (error) {
      // The code alone: a message could repeat what was sent.
      const { code, name } = error as NodeJS.ErrnoException;
      throw this.#unavailable(`cannot be asked (${code ?? name})`);
    }
  }

  #unavailable(reason: string): DmsError {
    this.#log.warn(`Tokens cannot be checked: Keystone ${reason}`);
    return new DmsError('AUTH_UNAVAILABLE', `The token cannot be checked at the moment: Keystone ${reason}`);
  }

  #connections(): Promise<Agent> {
    this.#agent ??= this.#makeAgent().catch((error: unknown) => {
      this.#agent = null; // the file may be mended by the next request
      throw error;
    });
    return this.#agent;
  }

  async #makeAgent(): Promise<Agent> {
    const { caFile } = this;
    const ca = caFile === null ? undefined : [...rootCertificates, await readFile(caFile, 'utf8')];
    return new Agent({
      connections: CONNECTIONS,
      // Some servers close a connection that is kept without saying so.
      pipelining: 0,
      maxResponseSize: MAX_BODY_BYTES,
      connect: { ca, timeout: DEADLINE_MS },
    });
  }
}

/** `/v3` is put behind a URL that has no version. */
function versioned(authUrl: string): string {
  return /\/v3$/.test(authUrl) ? authUrl : `${authUrl}/v3`;
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
