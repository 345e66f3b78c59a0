import { Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { RareWarnings } from '@app/platform';
import { CallerChecks } from './caller-checks';
import { type CommandResult, refusal } from './command-result';
import { type Delivery } from './queue-consumer';
import { bearsEnvelope, isUndated, replyQueueOf } from './received-command';

/** A message whose body is not read; `dropped`: nobody is there to be answered. */
export interface UnreadMessage {
  readonly kind: 'unread';
  readonly action: 'refused' | 'dropped';
  readonly result: CommandResult;
  readonly extended: boolean;
}

/**
 * Lets messages through to be read, or not. A message without an expiration may be an hour old. Those whose reply queue is gone are
 *   dropped first, because they would take the place of the others.
 */
@Injectable()
export class CommandGate {
  readonly #logger = new Logger(CommandGate.name);
  readonly #warnings = new RareWarnings(this.#logger);

  constructor(private readonly callers: CallerChecks) {}

  /** What becomes of a message that is not to be read; null: it is. It never rejects. */
  async unread({ message, connection }: Delivery): Promise<UnreadMessage | null> {
    const extended = bearsEnvelope(message);
    const replyTo = replyQueueOf(message);
    if (extended || replyTo === null || !isUndated(message)) return null;
    try {
      return (await this.callers.waits(connection, replyTo)) ? null : this.#dropped();
    } catch (error) {
      this.#logger.warn({ msg: 'It cannot be told whether a caller still waits', err: error });
      const text = 'It cannot be told whether the caller still waits: nothing was done';
      const result = refusal(new DmsError('BROKER_UNAVAILABLE', text));
      return { kind: 'unread', action: 'refused', result, extended };
    }
  }

  #dropped(): UnreadMessage {
    this.#warnings.warn('The caller is gone: its command is dropped unread');
    const result = refusal(new DmsError('TIMEOUT', 'The caller is gone: nothing was done'));
    return { kind: 'unread', action: 'dropped', result, extended: false };
  }
}
