import { timingSafeEqual } from 'node:crypto';
import { Logger, type OnModuleInit } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { SettingsError } from '@app/platform';
import { type Authenticator, type Credentials } from './authenticator.interface';
import { type Identity } from './identity';
import { digestOf } from './token-file.parser';
import { type StaticToken, type TokenFile, TokenFileError } from './token-file.interface';

/** `token`: the header `Authorization: Bearer …`, compared with the tokens of a file. */
export class StaticTokenAuthenticator implements Authenticator, OnModuleInit {
  readonly challenge = 'Bearer realm="dms"';
  readonly #log = new Logger(StaticTokenAuthenticator.name);
  #problem: string | null = null;

  constructor(private readonly file: TokenFile) {}

  /** @throws SettingsError where the service would let nobody in */
  async onModuleInit(): Promise<void> {
    await this.file.tokens().catch((error: unknown) => {
      throw error instanceof TokenFileError ? new SettingsError([`DMS_TOKEN_FILE: ${error.message}`]) : error;
    });
  }

  async authenticate({ headers }: Credentials): Promise<Identity> {
    const [, token] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
    if (token === undefined) {
      throw new DmsError('UNAUTHENTICATED', 'The header Authorization with a bearer token is missing');
    }
    const digest = digestOf(token);
    let found: Identity | null = null;
    // All are compared, however early one fits: the time tells nothing.
    for (const known of await this.#tokens()) {
      if (timingSafeEqual(known.digest, digest)) found = known.identity;
    }
    if (found === null) throw new DmsError('UNAUTHENTICATED', 'The bearer token is not known');
    return found;
  }

  async #tokens(): Promise<readonly StaticToken[]> {
    try {
      const tokens = await this.file.tokens();
      this.#problem = null;
      return tokens;
    } catch (error) {
      if (!(error instanceof TokenFileError)) throw error;
      if (this.#problem !== error.message)
        this.#log.error(`DMS_TOKEN_FILE: ${error.message}; nobody is let in`);
      this.#problem = error.message;
      throw new DmsError(
        'AUTH_UNAVAILABLE',
        'Tokens cannot be checked at the moment; the log of the service has it',
      );
    }
  }
}
