import { type Channel, type ChannelModel, type ConsumeMessage, type Options } from 'amqplib';
import { within } from './within';

/** A message with what is needed to answer and to acknowledge it; both are void once the channel has closed. */
export interface Delivery {
  readonly message: ConsumeMessage;
  readonly channel: Channel;
  readonly connection: ChannelModel;
}

/** A queue, as it is declared. */
export interface QueueDeclaration {
  readonly name: string;
  readonly options: Options.AssertQueue;
  /** Messages that the broker hands over before the first of them is acknowledged. */
  readonly prefetch: number;
}

export interface QueueListener {
  readonly onDelivery: (delivery: Delivery) => void;
  /** A reply could not be routed. */
  readonly onReturn: (message: ConsumeMessage) => void;
}

/** Why nothing is consumed any more; `error`: the broker's, if it closed the channel with one. */
export interface ConsumerEnd {
  readonly reason: 'cancelled' | 'closed';
  readonly error: Error | null;
}

/** The hello before a queue was not said, so the queue is not consumed; it says nothing about the queue. */
export class HelloNotSaidError extends Error {}

const BROKER_ANSWER_MS = 10_000;

/** The one consumer of a queue, on a channel of its own: an error of the broker closes only that channel. */
export class QueueConsumer {
  /** Resolves when nothing is consumed any more. */
  readonly ended: Promise<ConsumerEnd>;
  #end: (end: ConsumerEnd) => void = () => undefined;
  #error: Error | null = null;
  #open = true;
  #tag: string | null = null;

  private constructor(
    private readonly connection: ChannelModel,
    private readonly channel: Channel,
    readonly queue: string,
    private readonly listener: QueueListener,
  ) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
    channel.on('error', (error: Error) => (this.#error = error));
    channel.on('close', () => {
      this.#open = false;
      this.#end({ reason: 'closed', error: this.#error });
    });
    channel.on('return', listener.onReturn);
  }

  /**
   * Opens a channel and declares the queue; nothing is consumed yet.
   *
   * @throws Error with the broker's words, or that it gave no answer
   */
  static async declare(
    connection: ChannelModel,
    { name, options, prefetch }: QueueDeclaration,
    listener: QueueListener,
  ): Promise<QueueConsumer> {
    const channel = await within(connection.createChannel(), BROKER_ANSWER_MS, 'a channel');
    const consumer = new QueueConsumer(connection, channel, name, listener);
    try {
      await within(channel.prefetch(prefetch), BROKER_ANSWER_MS, 'the prefetch');
      await within(channel.assertQueue(name, options), BROKER_ANSWER_MS, `the queue ${name}`);
      return consumer;
    } catch (error) {
      await consumer.close();
      throw error;
    }
  }

  /**
   * Consumes after the hello was said.
   *
   * @throws HelloNotSaidError; else as {@link QueueConsumer.declare}
   */
  async consume(sayHello: (connection: ChannelModel) => Promise<void>): Promise<void> {
    try {
      await within(sayHello(this.connection), BROKER_ANSWER_MS, 'the hello');
    } catch (error) {
      throw new HelloNotSaidError(`The hello cannot be said: ${(error as Error).message}`, { cause: error });
    }
    const onMessage = (message: ConsumeMessage | null): void => {
      if (message === null) this.#end({ reason: 'cancelled', error: null });
      else this.listener.onDelivery({ message, channel: this.channel, connection: this.connection });
    };
    const consumer = this.channel.consume(this.queue, onMessage, { exclusive: true, noAck: false });
    ({ consumerTag: this.#tag } = await within(consumer, BROKER_ANSWER_MS, 'the consumer'));
  }

  /** No more messages come; those that came can still be answered. @throws Error */
  async cancel(): Promise<void> {
    if (this.#tag === null || !this.#open) return;
    await within(this.channel.cancel(this.#tag), BROKER_ANSWER_MS, 'the end of the consumer');
  }

  /** Closes the channel, after what was sent on it was written. */
  async close(): Promise<void> {
    if (!this.#open) return;
    // A channel that the broker has closed, or that goes with its connection, has nothing left to close.
    await within(this.channel.close(), BROKER_ANSWER_MS, 'the end of the channel').catch(() => undefined);
  }
}
