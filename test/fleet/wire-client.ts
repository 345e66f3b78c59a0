import { randomUUID } from 'node:crypto';
import { type ChannelModel, connect, type Channel, type Options } from 'amqplib';
import { within } from '../rig';

/** A reply as it came. */
export interface WireReply {
  readonly text: string;
  readonly body: Record<string, unknown>;
  readonly correlationId: unknown;
  readonly contentType: unknown;
}

const REPLY_MS = 30_000;

/**
 * A program that speaks to a node's queue as the Python client does: it declares the queue, sends persistent messages
 * without an expiration, and waits on an exclusive queue of its own.
 */
export class WireClient {
  readonly #waiting = new Map<string, (reply: WireReply) => void>();

  private constructor(
    readonly connection: ChannelModel,
    readonly channel: Channel,
    readonly queue: string,
    readonly replyTo: string,
  ) {}

  /** @param own the node's own queue, which is not declared; without it `dms.<host>` is used */
  static async open(brokerUrl: string, host: string, own?: string): Promise<WireClient> {
    const connection = await connect(brokerUrl);
    connection.on('error', () => undefined);
    const channel = await connection.createChannel();
    const queue = own ?? (await channel.assertQueue(`dms.${host}`, { durable: true })).queue;
    const { queue: replyTo } = await channel.assertQueue('', { exclusive: true });
    const client = new WireClient(connection, channel, queue, replyTo);
    await channel.consume(
      replyTo,
      (message) => {
        if (message === null) return;
        const { correlationId, contentType } = message.properties as unknown as Record<string, unknown>;
        const text = message.content.toString();
        const body = JSON.parse(text) as Record<string, unknown>;
        client.#waiting.get(String(correlationId))?.({ text, body, correlationId, contentType });
      },
      { noAck: true },
    );
    return client;
  }

  /** Sends a body (an object as JSON) and waits for the reply. */
  async call(body: unknown, options: Options.Publish = {}): Promise<WireReply> {
    const correlationId = randomUUID();
    const reply = new Promise<WireReply>((resolve) => this.#waiting.set(correlationId, resolve));
    this.send(body, { replyTo: this.replyTo, correlationId, ...options });
    try {
      return await within(reply, REPLY_MS, 'a reply');
    } finally {
      this.#waiting.delete(correlationId);
    }
  }

  /** Sends a body, with no more properties than those of the Python client and `options`. */
  send(body: unknown, options: Options.Publish = {}): void {
    const content = Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
    const properties = { contentType: 'application/json', deliveryMode: 2, ...options };
    this.channel.sendToQueue(this.queue, Buffer.from(content), properties);
  }

  async close(): Promise<void> {
    await this.connection.close().catch(() => undefined);
  }
}
