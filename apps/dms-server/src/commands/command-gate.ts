import { Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { RareWarnings } from '@app/platform';
import { CallerChecks } from './caller-checks';
import { type CommandResult, failure, refusal } from './command-result';
import { type Delivery } from './queue-consumer';
import { bearsEnvelope, isUndated, replyQueueOf } from './received-command';
import { ReceivedMessages } from './received-messages';

/** A message whose body is not read; `dropped`: nobody is there to be answered. */
export interface UnreadMessage {
  readonly kind: 'unread';
  readonly action: 'refused' | 'dropped';
  readonly result: CommandResult;
  readonly extended: boolean;
}

/**
 * Lets messages through to be read, or not.
 *
 * - **Delivered again.** A message may be what has ended the process that received it before, or has blocked it for so
 *   long that the broker let it go. Whoever obeys it again may end again, for ever. So a process reads it only if it is the
 *   one that received it before, and once: it lost its connection and lives. Else it is answered that its outcome is not
 *   known, and acknowledged. Its sender repeats it, or settles what became of it as after any reply that did not come. This
 *   also meets commands that were in a server that was stopped: they were begun, or their callers may have given up.
 * - **Of a caller that is gone.** A message without an expiration may be an hour old. Those whose reply queue is gone are
 *   dropped first, because they would take the place of the others.
 */
@Injectable()
export class CommandGate {
  readonly #logger = new Logger(CommandGate.name);
  readonly #warnings = new RareWarnings(this.#logger);
  readonly #received = new ReceivedMessages();

  constructor(private readonly callers: CallerChecks) {}

  /** What becomes of a message that is not to be read; null: it is. It never rejects. */
  async unread({ message, connection }: Delivery): Promise<UnreadMessage | null> {
    const extended = bearsEnvelope(message);
    if (!message.fields.redelivered) this.#received.note(message);
    else if (!this.#received.take(message)) return this.#deliveredBefore(message.properties, extended);
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

  #deliveredBefore({ correlationId }: { correlationId?: unknown }, extended: boolean): UnreadMessage {
    const text = 'The command was delivered before, and its outcome is not known: send it again';
    this.#logger.warn({ msg: 'A command was delivered before: it is not obeyed', correlationId });
    // It may have been begun: this is no refusal.
    return { kind: 'unread', action: 'refused', result: failure(new DmsError('TIMEOUT', text)), extended };
  }

  #dropped(): UnreadMessage {
    this.#warnings.warn('The caller is gone: its command is dropped unread');
    const result = refusal(new DmsError('TIMEOUT', 'The caller is gone: nothing was done'));
    return { kind: 'unread', action: 'dropped', result, extended: false };
  }
}
