import { isCommandQueueOf, nodeQueue } from '@app/contracts';
import { type ChannelModel, connect, type Options } from 'amqplib';
import { type RabbitMq } from '../rig';

/** A message as the broker took it. */
export interface TappedMessage {
  readonly routingKey: string;
  readonly content: Buffer;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** Hears everything that is published to a broker, by its tracing: what whoever administers it can see. */
export class Wiretap {
  readonly messages: TappedMessage[] = [];

  private constructor(
    private readonly broker: RabbitMq,
    private readonly connection: ChannelModel,
  ) {}

  static async on(broker: RabbitMq): Promise<Wiretap> {
    await broker.ctl(['trace_on']);
    const connection = await connect(broker.url);
    const tap = new Wiretap(broker, connection);
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, 'amq.rabbitmq.trace', 'publish.#');
    await channel.consume(
      queue,
      (message) => {
        if (message === null) return;
        const { routing_keys, properties } = message.properties.headers as {
          routing_keys: string[];
          properties: Record<string, unknown>;
        };
        tap.messages.push({ routingKey: routing_keys[0], content: message.content, properties });
      },
      { noAck: true },
    );
    return tap;
  }

  /** The bodies of the commands that went to a node, with what came along. */
  commands(host: string, action: string): { body: Record<string, unknown>; message: TappedMessage }[] {
    return this.messages
      .filter(({ routingKey }) => routingKey === nodeQueue(host) || isCommandQueueOf(host, routingKey))
      .map((message) => ({
        body: JSON.parse(message.content.toString()) as Record<string, unknown>,
        message,
      }))
      .filter(({ body }) => body.action === action);
  }

  /** Whether any message, whoever sent it, has the text in its body or its properties. */
  hasHeard(text: string): boolean {
    return this.messages.some(
      ({ content, properties }) => content.includes(text) || JSON.stringify(properties).includes(text),
    );
  }

  /** Publishes in the name of whoever administers the broker, and waits until the broker has it. */
  async publish(
    exchange: string,
    routingKey: string,
    content: Buffer,
    properties: Options.Publish = {},
  ): Promise<void> {
    const channel = await this.connection.createConfirmChannel();
    channel.publish(exchange, routingKey, content, properties);
    await channel.waitForConfirms();
    await channel.close();
  }

  /** Leaves a text in a durable queue: it shows that the broker's files are searched so that a text is found. */
  async leave(text: string): Promise<void> {
    const channel = await this.connection.createChannel();
    await channel.assertQueue('canary', { durable: true });
    await channel.close();
    await this.publish('', 'canary', Buffer.from(text), { persistent: true });
  }

  async off(): Promise<void> {
    await this.connection.close();
    await this.broker.ctl(['trace_off']);
  }
}
