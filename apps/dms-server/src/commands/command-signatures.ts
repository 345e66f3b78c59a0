import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError, SignatureError, verifyMessage } from '@app/contracts';
import { RareWarnings } from '@app/platform';
import { type ConsumeMessage } from 'amqplib';
import { CLIENT_KEYS, type ClientKeys } from '../keys/client-keys';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { receivedCommand, signatureOf } from './received-command';

/** Decides whether a message is a command of a client that this node trusts. */
@Injectable()
export class CommandSignatures {
  readonly #warnings = new RareWarnings(new Logger(CommandSignatures.name));

  constructor(
    @Inject(SETTINGS) private readonly settings: Pick<ServerSettings, 'nodeId' | 'requireSigned'>,
    @Inject(CLIENT_KEYS) private readonly keys: ClientKeys,
  ) {}

  /**
   * The refusal of a message that is not signed as it must be; null where it is to be obeyed. While signatures are not
   * required but keys are configured it is only said what would be refused.
   */
  async refusalOf(message: ConsumeMessage): Promise<DmsError | null> {
    const keys = await this.keys.current();
    if (keys.length === 0) return null;
    try {
      const command = receivedCommand(this.settings.nodeId, message);
      await verifyMessage(signatureOf(message), command, keys);
      return null;
    } catch (error) {
      if (!(error instanceof SignatureError)) throw error;
      return this.#refuse(error.message);
    }
  }

  /** The refusal of a command that no epoch protects from being repeated: signed or not, it may be an old one. */
  refusalWithoutEpoch(): DmsError | null {
    return this.settings.requireSigned ? this.#refuse('bears no epoch') : null;
  }

  #refuse(problem: string): DmsError | null {
    if (!this.settings.requireSigned) {
      this.#warnings.warn(`A command ${problem}; it is obeyed, for DMS_REQUIRE_SIGNED is not set`);
      return null;
    }
    const text = `This node obeys the commands of clients that it trusts; this one ${problem}`;
    this.#warnings.warn(`${text}. Nothing is done`);
    return new DmsError('FORBIDDEN', text);
  }
}
