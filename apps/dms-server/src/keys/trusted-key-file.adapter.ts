import { Logger } from '@nestjs/common';
import { type PublicKey } from '@app/contracts';
import { ChangingFile, RareWarnings, readTrustedKeys } from '@app/platform';
import { type ClientKeys } from './client-keys';

const LOOK_MS = 2_000;

type Keys = readonly PublicKey<'Ed25519'>[];

/**
 * The keys of `DMS_TRUSTED_KEYS_FILE`, read again when it has changed. While it cannot be read, those of before count: a
 * slip of the pen in it takes no node out of service, and is told in the log for as long as it lasts.
 */
export class TrustedKeyFile implements ClientKeys {
  readonly #log = new Logger(TrustedKeyFile.name);
  readonly #warnings = new RareWarnings(this.#log);
  readonly #file: ChangingFile<Keys>;

  private constructor(
    path: string,
    private last: Keys,
  ) {
    this.#file = new ChangingFile(path, readTrustedKeys, LOOK_MS);
  }

  /** @throws Error that names the file and what is wrong with it, where it cannot be read at the start */
  static async open(path: string): Promise<TrustedKeyFile> {
    return new TrustedKeyFile(path, await readTrustedKeys(path));
  }

  async current(): Promise<Keys> {
    try {
      const keys = await this.#file.current();
      if (idsOf(keys) !== idsOf(this.last)) {
        this.#log.log({ msg: 'The trusted keys have changed', key_ids: keys.map(({ kid }) => kid) });
      }
      this.last = keys;
    } catch (error) {
      this.#warnings.warn(
        `The trusted keys cannot be read, those of before count: ${(error as Error).message}`,
      );
    }
    return this.last;
  }
}

function idsOf(keys: Keys): string {
  return keys.map(({ kid }) => kid).join();
}
