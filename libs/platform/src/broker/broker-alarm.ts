import { type Logger } from '@nestjs/common';
import { type AmqpConnectionManager } from 'amqp-connection-manager';

/**
 * Tells whether the broker blocks publishers, because its memory or disk is short.
 *
 * The broker reads nothing from a blocked connection. What is published all the same lies in the buffers, also after the
 * connection was closed, and is delivered when the alarm ends: publish nothing while `reason` is set.
 */
export class BrokerAlarm {
  readonly #listeners: ((reason: string | null) => void)[] = [];
  #reason: string | null = null;

  constructor(private readonly logger: Logger) {}

  /** The broker's words, e.g. `low on memory`; null: it takes messages, as far as is known. */
  get reason(): string | null {
    return this.#reason;
  }

  /** Calls `listener` whenever an alarm begins or ends. */
  onChange(listener: (reason: string | null) => void): void {
    this.#listeners.push(listener);
  }

  /** Follows the alarms of this connection. The broker tells them to connections that have tried to publish. */
  watch(broker: Pick<AmqpConnectionManager, 'on'>): void {
    broker.on('blocked', ({ reason }) => this.#set(reason));
    broker.on('unblocked', () => this.#set(null));
    broker.on('disconnect', () => this.#set(null));
  }

  #set(reason: string | null): void {
    if (this.#reason === reason) return;
    this.#reason = reason;
    if (reason === null)
      this.logger.log('The alarm of the message broker is over, or the connection closed.');
    else this.logger.error({ msg: alarmText(reason), code: 'BROKER_UNAVAILABLE' });
    for (const listener of this.#listeners) listener(reason);
  }
}

/** What an operator reads of an alarm. */
export function alarmText(reason: string): string {
  return `The message broker blocks publishers: ${reason}. Free memory or disk space on the broker`;
}
