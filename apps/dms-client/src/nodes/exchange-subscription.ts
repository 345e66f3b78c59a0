import { EVENTS_EXCHANGE } from '@app/contracts';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type Channel, type ConsumeMessage } from 'amqplib';

/** Messages that wait here at most; then the oldest goes, for it says least about what is the case now. */
const MAX_WAITING = 10_000;

/** Nobody says more at once: a longer message is none, and is not read. */
const MAX_BYTES = 1024 * 1024;

export interface Subscription {
  /** Shown in the broker's list. */
  readonly name: string;
  /** Routing keys, with the wildcards of a topic exchange. */
  readonly patterns: readonly string[];
  /** Messages of this `app_id` are passed over, unread. */
  readonly own?: string;
  /** @param body the message read as JSON; null where it is none, or too long */
  readonly hear: (body: unknown, message: ConsumeMessage) => void;
  /** The connection was lost, or closed, while the channel was set up; the next one sets it up anew. */
  readonly failed: (error: unknown) => void;
}

/** Hears what is published to the exchange of hellos and events, on a queue of this process's own. */
export function subscribe(
  broker: AmqpConnectionManager,
  { name, patterns, own, hear, failed }: Subscription,
): void {
  const consume = async (channel: Channel): Promise<void> => {
    await channel.assertExchange(EVENTS_EXCHANGE, 'topic', { durable: true });
    const { queue } = await channel.assertQueue('', {
      exclusive: true,
      autoDelete: true,
      durable: false,
      maxLength: MAX_WAITING,
    });
    for (const pattern of patterns) await channel.bindQueue(queue, EVENTS_EXCHANGE, pattern);
    const take = (message: ConsumeMessage | null): void => {
      if (message === null || (own !== undefined && message.properties.appId === own)) return;
      hear(parsed(message.content), message);
    };
    await channel.consume(queue, take, { noAck: true });
  };
  broker.createChannel({ name, confirm: false, setup: consume }).on('error', failed);
}

function parsed(content: Buffer): unknown {
  if (content.length > MAX_BYTES) return null;
  try {
    return JSON.parse(content.toString('utf8'));
  } catch {
    return null;
  }
}
