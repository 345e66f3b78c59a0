import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { DmsError, nodeQueue } from '@app/contracts';
import { headersOfRequest } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type ChannelModel, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import { BROKER } from './broker.provider';
import { CommandSigner } from './command-signer';
import { listensOn } from './queue-consumers';

/** Where a command goes, and how long an answer to it has a meaning. */
export interface NodePattern {
  readonly host: string;
  readonly action: string;
  /** Milliseconds after which the broker throws the command away. */
  readonly expirationMs: number;
}

/** The broker could not deliver the command: nothing has happened. */
export class UnroutableError extends DmsError {
  constructor(host: string) {
    super('NODE_UNREACHABLE', `No dms-server listens for host "${host}"`);
  }
}

/** The connection went away after a command was sent: whether it was carried out is unknown. */
export class ReplyLostError extends Error {}

const REPLY_TO = 'amq.rabbitmq.reply-to';

/**
 * NestJS' client for the queues of all nodes, over one connection: bare JSON, as the Python system speaks.
 *
 * A command is sent at most once. It goes out on the raw channel, for the connection manager would send what was not
 * confirmed again after a reconnect, and what is not known to have been delivered must not be repeated.
 */
@Injectable()
export class NodeClientProxy extends ClientProxy implements OnApplicationShutdown {
  readonly #log = new Logger(NodeClientProxy.name);
  readonly #waiting = new Map<string, { host: string; callback: (packet: WritePacket) => void }>();
  #channel: ConfirmChannel | null = null;
  #connection: ChannelModel | null = null;

  constructor(
    @Inject(BROKER) private readonly broker: AmqpConnectionManager,
    private readonly signer: CommandSigner,
  ) {
    super();
    broker.on('connect', () => this.#reopen());
    broker.on('disconnect', () => this.#lost());
    this.#reopen();
  }

  /** Commands that were sent and not answered yet. */
  get unanswered(): number {
    return this.#waiting.size;
  }

  /** Waits until the broker can be used, for five seconds at most. */
  async connect(): Promise<void> {
    const deadline = Date.now() + 5_000;
    while (this.#channel === null) {
      if (Date.now() > deadline)
        throw new DmsError('BROKER_UNAVAILABLE', 'The message broker cannot be reached');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async close(): Promise<void> {
    this.#lost();
    await this.broker.close();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  unwrap<T>(): T {
    return this.broker as T;
  }

  protected publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const correlationId = randomUUID();
    const pattern = packet.pattern as NodePattern;
    this.#waiting.set(correlationId, { host: pattern.host, callback });
    this.#send(pattern, packet.data, correlationId).catch((error: unknown) =>
      this.#settle(correlationId, { err: error, isDisposed: true }),
    );
    return () => this.#waiting.delete(correlationId);
  }

  protected dispatchEvent<T>(): Promise<T> {
    return Promise.reject(new Error('Nodes take commands, not events'));
  }

  async #send(pattern: NodePattern, data: unknown, correlationId: string): Promise<void> {
    const channel = this.#channel;
    if (channel === null || this.#connection === null) {
      throw new DmsError('BROKER_UNAVAILABLE', 'The message broker cannot be reached');
    }
    const queue = nodeQueue(pattern.host);
    if (!(await listensOn(this.#connection, queue))) throw new UnroutableError(pattern.host);
    const content = Buffer.from(JSON.stringify(data));
    const expirationMs = Math.max(1, Math.round(pattern.expirationMs));
    const command = { queue, content, replyTo: REPLY_TO, correlationId, expirationMs };
    const headers = { ...headersOfRequest(), ...(await this.signer.headersOf(command)) };
    if (this.#channel !== channel) throw new DmsError('BROKER_UNAVAILABLE', 'The message broker went away');
    channel.sendToQueue(queue, content, {
      mandatory: true,
      persistent: false,
      expiration: String(expirationMs),
      headers,
      contentType: 'application/json',
      correlationId,
      replyTo: REPLY_TO,
      // What is unroutable comes back with its properties: this one tells whose it was.
      messageId: correlationId,
    });
  }

  #reopen(): void {
    const connection = this.broker.connection;
    if (connection === undefined || this.#connection === connection) return;
    this.#open(connection).catch((error: unknown) => this.#log.error(error));
  }

  async #open(connection: ChannelModel): Promise<void> {
    this.#connection = connection;
    const channel = await connection.createConfirmChannel();
    channel.on('error', (error: unknown) => this.#log.error(error));
    channel.on('close', () => {
      if (this.#channel === channel) this.#lost();
    });
    channel.on('return', (message: ConsumeMessage) => this.#returned(message));
    await channel.consume(REPLY_TO, (message) => this.#reply(message), { noAck: true });
    this.#channel = channel;
  }

  #reply(message: ConsumeMessage | null): void {
    if (message === null) return this.#lost();
    let response: unknown = null;
    try {
      response = JSON.parse(message.content.toString('utf8'));
    } catch {
      // A reply that cannot be read says nothing: null is no reply, and the caller treats it so.
    }
    this.#settle(String(message.properties.correlationId), { response, isDisposed: true });
  }

  #returned(message: ConsumeMessage): void {
    const correlationId = String(message.properties.messageId);
    const host = this.#waiting.get(correlationId)?.host ?? 'unknown';
    this.#settle(correlationId, { err: new UnroutableError(host), isDisposed: true });
  }

  #settle(correlationId: string, packet: WritePacket): void {
    const waiting = this.#waiting.get(correlationId);
    if (waiting === undefined) return; // A late reply: nobody waits any more, and it changes nothing.
    this.#waiting.delete(correlationId);
    waiting.callback(packet);
  }

  #lost(): void {
    this.#channel = null;
    this.#connection = null;
    for (const correlationId of [...this.#waiting.keys()]) {
      this.#settle(correlationId, {
        err: new ReplyLostError('The connection to the broker was lost before the reply'),
        isDisposed: true,
      });
    }
  }
}
