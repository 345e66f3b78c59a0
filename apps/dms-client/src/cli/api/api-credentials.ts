import { readFile } from 'node:fs/promises';
import { DmsError, Secret } from '@app/contracts';

export interface CredentialSources {
  /** For DMS_AUTH_MODE=token. */
  readonly apiToken: Secret | null;
  /** File that holds it; read for each request, so that it may be replaced. */
  readonly apiTokenFile: string | null;
  /** For DMS_AUTH_MODE=keystone. */
  readonly keystoneToken: Secret | null;
}

/** What requests to the HTTP facade carry to say who makes them: a bearer token where there is one, else a Keystone token. */
export class ApiCredentials {
  #keystoneToken: Secret | null;

  constructor(private readonly sources: CredentialSources) {
    this.#keystoneToken = sources.keystoneToken;
  }

  /** A request comes with a Keystone token of its own: it is the caller's from now on. */
  use(keystoneToken: Secret | null | undefined): void {
    this.#keystoneToken = keystoneToken ?? this.#keystoneToken;
  }

  /** @throws DmsError UNAUTHENTICATED where the file cannot be read */
  async headers(): Promise<Record<string, string>> {
    const bearer = this.sources.apiToken ?? (await this.#fromFile());
    if (bearer !== null) return { authorization: `Bearer ${bearer.reveal()}` };
    return this.#keystoneToken === null ? {} : { 'x-auth-token': this.#keystoneToken.reveal() };
  }

  async #fromFile(): Promise<Secret | null> {
    const { apiTokenFile } = this.sources;
    if (apiTokenFile === null) return null;
    try {
      return new Secret((await readFile(apiTokenFile, 'utf8')).trim());
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      throw new DmsError('UNAUTHENTICATED', `DMS_API_TOKEN_FILE: the file cannot be read (${code})`);
    }
  }
}
