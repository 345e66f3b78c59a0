import { type FactoryProvider } from '@nestjs/common';
import { type KeyPair, SIGNATURE_HEADER, signMessage } from '@app/contracts';
import { readSigningKey, SettingsError } from '@app/platform';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';

/** What is signed of a command, as it goes out. */
export interface OutgoingCommand {
  /** What is signed as its address: `dms.<node>`, also if it goes to the node's own queue. */
  readonly address: string;
  readonly content: Buffer;
  readonly replyTo: string;
  readonly correlationId: string;
  /** Milliseconds after which the broker throws it away. */
  readonly expirationMs: number;
}

/** Signs commands with the key of the clients. */
export class CommandSigner {
  constructor(private readonly key: KeyPair<'Ed25519'> | null) {}

  /** Id of the key; null: commands are not signed. */
  get keyId(): string | null {
    return this.key?.publicKey.kid ?? null;
  }

  /** AMQP headers of a command; none where no key was configured. */
  async headersOf(command: OutgoingCommand): Promise<Record<string, string>> {
    if (this.key === null) return {};
    const { address, content, replyTo, correlationId, expirationMs } = command;
    const message = { kind: 'command', address, content, replyTo, correlationId } as const;
    return { [SIGNATURE_HEADER]: await signMessage(message, this.key, expirationMs) };
  }
}

export const commandSignerProvider: FactoryProvider<Promise<CommandSigner>> = {
  provide: CommandSigner,
  inject: [SETTINGS],
  useFactory: async ({ signingKeyFile }: ClientSettings) => {
    if (signingKeyFile === null) return new CommandSigner(null);
    try {
      return new CommandSigner(await readSigningKey(signingKeyFile));
    } catch (error) {
      throw new SettingsError([`DMS_SIGNING_KEY_FILE: ${(error as Error).message}`]);
    }
  },
};
