import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { nodeQueue } from '@app/contracts';
import { brokerFailure, RareWarnings } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type Channel, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { type BrokerFactory } from './broker.provider';
import { isInExclusiveUse, isRefusal } from './broker-errors';
import { within } from './within';

/** A message with what is needed to answer and to acknowledge it; both are void once the channel has closed. */
export interface Delivery {
  readonly message: ConsumeMessage;
  readonly channel: Channel;
  readonly connection: ChannelModel;
}

export interface ConsumerOptions {
  readonly node: string;
  readonly connect: BrokerFactory;
  /** Runs on each new connection, before anything is consumed there. */
  readonly beforeConsuming: (connection: ChannelModel) => Promise<void>;
  readonly onDelivery: (delivery: Delivery) => void;
  /** It has begun to consume and cannot go on, now or later. */
  readonly onFailure: (error: Error) => void;
}

const HEARTBEAT_MS = 5_000;
/** After a cut the broker may keep the old consumer for two heartbeats. */
const EXCLUSIVE_WAIT_MS = 2.5 * HEARTBEAT_MS;
const RETRY_MS = 1_000;
const BROKER_ANSWER_MS = 10_000;

/**
 * Keeps the one, exclusive consumer on this node's queue: on each connection, after each closed channel, and after
 * somebody deleted the queue.
 */
export class CommandConsumer {
  readonly #logger = new Logger(CommandConsumer.name);
  readonly #queue: string;
  #manager: AmqpConnectionManager | null = null;
  #consuming: { channel: Channel; tag: string } | null = null;
  #open: Channel | null = null;
  #stopped = false;
  #refusedSince: number | null = null;
  readonly #warnings = new RareWarnings(this.#logger);
  #started: { resolve: () => void; reject: (error: Error) => void } | null = null;

  constructor(private readonly options: ConsumerOptions) {
    this.#queue = nodeQueue(options.node);
  }

  get isConsuming(): boolean {
    return this.#consuming !== null;
  }

  /**
   * Resolves with the first consumer; waits for a broker that is not there yet.
   *
   * @throws Error with the broker's words if it refuses the queue or the consumer
   */
  async start(): Promise<AmqpConnectionManager> {
    const manager = this.options.connect();
    this.#manager = manager;
    const started = new Promise<void>((resolve, reject) => {
      this.#started = { resolve, reject };
    });
    manager.on('connect', () => {
      if (manager.connection !== undefined) void this.#serve(manager.connection);
    });
    manager.on('connectFailed', (failure) => {
      this.#warnings.warn(`The broker cannot be reached: ${brokerFailure(failure)}`);
    });
    manager.on('disconnect', ({ err }) => {
      this.#consuming = null;
      if (!this.#stopped)
        this.#warnings.warn(`The connection to the broker is lost: ${err?.message ?? 'closed'}`);
    });
    await started;
    return manager;
  }

  /** No more commands come; those that came can still be answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const consuming = this.#consuming;
    this.#consuming = null;
    if (consuming === null) return;
    await within(consuming.channel.cancel(consuming.tag), BROKER_ANSWER_MS, 'the end of the consumer').catch(
      (error: unknown) => {
        // Without a connection there is no consumer to be ended.
        this.#logger.debug({ msg: 'The consumer could not be cancelled', err: error });
      },
    );
  }

  /** Closes the connection; what was not acknowledged goes back to the queue. */
  async close(): Promise<void> {
    this.#stopped = true;
    const manager = this.#manager;
    this.#manager = null;
    if (manager === null) return;
    await this.#closeChannel();
    await within(manager.close(), BROKER_ANSWER_MS, 'the end of the connection').catch((error: unknown) => {
      this.#logger.warn({ msg: 'The connection to the broker could not be closed', err: error });
    });
  }

  /** What was sent last is written only when its channel ends: the end of the connection would overtake it. */
  async #closeChannel(): Promise<void> {
    if (this.#open === null) return;
    await within(this.#open.close(), BROKER_ANSWER_MS, 'the end of the channel').catch((error: unknown) => {
      this.#logger.warn({ msg: 'The last replies may not have been sent', err: error });
    });
  }

  /** Consumes for as long as this connection is the current one. */
  async #serve(connection: ChannelModel): Promise<void> {
    while (!this.#stopped && this.#manager?.connection === connection) {
      try {
        await within(this.options.beforeConsuming(connection), BROKER_ANSWER_MS, 'the hello');
        await this.#consume(connection);
      } catch (error) {
        if (this.#stopped || this.#manager?.connection !== connection) return;
        const final = this.#finalError(error);
        if (final !== null) {
          this.#fail(final);
          return;
        }
        await sleep(RETRY_MS);
      }
    }
  }

  /** Opens a channel and consumes until it closes; a deleted queue is declared again on the same channel. */
  async #consume(connection: ChannelModel): Promise<void> {
    const channel = await within(connection.createChannel(), BROKER_ANSWER_MS, 'a channel');
    let ended: (reason: 'closed' | 'cancelled') => void = () => undefined;
    let error: Error | null = null;
    let open = true;
    this.#open = channel;
    channel.on('error', (reason: Error) => {
      error = reason;
    });
    channel.on('close', () => {
      open = false;
      if (this.#open === channel) this.#open = null;
      ended('closed');
    });
    channel.on('return', (message) => {
      this.#logger.warn({
        msg: 'A reply reached nobody: its queue is gone',
        correlationId: message.properties.correlationId as unknown,
      });
    });
    await within(channel.prefetch(0), BROKER_ANSWER_MS, 'the prefetch');
    while (open && !this.#stopped) {
      const end = new Promise<'closed' | 'cancelled'>((resolve) => {
        ended = resolve;
      });
      await within(channel.assertQueue(this.#queue, { durable: true }), BROKER_ANSWER_MS, 'the queue');
      const onMessage = (message: ConsumeMessage | null): void => {
        if (message === null) ended('cancelled');
        else this.options.onDelivery({ message, channel, connection });
      };
      const consumer = channel.consume(this.#queue, onMessage, { exclusive: true, noAck: false });
      const { consumerTag } = await within(consumer, BROKER_ANSWER_MS, 'the consumer');
      this.#begun(channel, consumerTag);
      const reason = await end;
      this.#consuming = null;
      if (reason === 'cancelled')
        this.#warnings.warn(`The queue ${this.#queue} was deleted; it is declared again`);
    }
    if (error !== null) throw error as Error;
  }

  #begun(channel: Channel, tag: string): void {
    this.#consuming = { channel, tag };
    this.#refusedSince = null;
    this.#logger.log({ msg: 'Commands are consumed', queue: this.#queue });
    this.#started?.resolve();
    this.#started = null;
  }

  /** The error to give up with, or null where it is worth another try. */
  #finalError(error: unknown): Error | null {
    const text = error instanceof Error ? error.message : String(error);
    this.#warnings.warn(`The queue ${this.#queue} cannot be consumed: ${text}`);
    if (isInExclusiveUse(error)) {
      this.#refusedSince ??= Date.now();
      if (Date.now() - this.#refusedSince < EXCLUSIVE_WAIT_MS) return null;
      return new Error(
        `Another dms-server consumes the queue ${this.#queue}: two nodes must not have the same DMS_NODE_ID ("${this.options.node}")`,
      );
    }
    this.#refusedSince = null;
    if (this.#started === null || !isRefusal(error)) return null;
    return new Error(`The broker refuses the queue ${this.#queue}: ${text}`);
  }

  #fail(error: Error): void {
    const started = this.#started;
    this.#started = null;
    if (started !== null) started.reject(error);
    else this.options.onFailure(error);
  }
}
