import { type BigIntStats } from 'node:fs';
import { open } from 'node:fs/promises';
import { ChangingFile } from '@app/platform';
import { parseTokens } from './token-file.parser';
import { type StaticToken, type TokenFile, TokenFileError } from './token-file.interface';

const MAX_BYTES = 1024 * 1024;
/** The file is looked at again after this time. */
const LOOK_MS = 1_000;
/** What its group may not (write) and others may not (anything at all). */
const FORBIDDEN_MODE = 0o027n;

/** The file of `DMS_TOKEN_FILE`; read again when it has changed, which is noticed within a second. */
export class TokenFileAdapter implements TokenFile {
  readonly #file: ChangingFile<readonly StaticToken[]>;

  constructor(path: string) {
    this.#file = new ChangingFile(path, readTokens, LOOK_MS);
  }

  tokens(): Promise<readonly StaticToken[]> {
    return this.#file.current();
  }
}

async function readTokens(path: string): Promise<readonly StaticToken[]> {
  try {
    const file = await open(path, 'r');
    try {
      const stats = await file.stat({ bigint: true });
      checkStats(stats);
      return parseTokens(await file.readFile('utf8'));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw error instanceof TokenFileError
      ? error
      : new TokenFileError(`it cannot be read (${codeOf(error)})`);
  }
}

function checkStats(stats: BigIntStats): void {
  if (!stats.isFile()) throw new TokenFileError('it is no regular file');
  if (stats.size > BigInt(MAX_BYTES)) throw new TokenFileError('it is larger than 1 MiB');
  if ((stats.mode & FORBIDDEN_MODE) === 0n) return;
  const mode = (stats.mode & 0o777n).toString(8).padStart(3, '0');
  throw new TokenFileError(`its mode is ${mode}: others must not read it, use chmod 600 or 640`);
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code ?? 'unknown error');
}
