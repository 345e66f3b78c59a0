import { type Identity } from './identity';

export const TOKEN_FILE = Symbol('TokenFile');

/** A token of the file, by its SHA-256. */
export interface StaticToken {
  readonly digest: Buffer;
  readonly identity: Identity;
}

/** The static tokens as the file has them now. */
export interface TokenFile {
  /** @throws TokenFileError that says what is wrong with the file, without any token */
  tokens(): Promise<readonly StaticToken[]>;
}

/** Why the file of tokens cannot be used. */
export class TokenFileError extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = 'TokenFileError';
  }
}
