import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { nodeQueue } from '@app/contracts';
import { RareWarnings } from '@app/platform';
import { type ChannelModel } from 'amqplib';
import { isInExclusiveUse, isRefusal } from './broker-errors';
import { ExclusiveUse } from './exclusive-use';
import { QueueConsumer, type QueueListener } from './queue-consumer';
import { LateError } from './within';

const RETRY_MS = 1_000;
const MAX_RETRY_MS = 10_000;
const POLICY = `rabbitmqctl set_policy ha '^dms\\.' '{"ha-mode":"all","ha-sync-mode":"automatic"}'`;

export interface LegacyQueueOptions {
  readonly node: string;
  readonly prefetch: number;
  readonly listener: QueueListener;
  /** Whether this server has served commands before: a cut connection is no second server then. */
  readonly hasServed: () => boolean;
  /** Runs on each connection before the queue is consumed there. */
  readonly beforeConsuming: (connection: ChannelModel) => Promise<void>;
  /** It has changed why the queue is not consumed; null: it is consumed. */
  readonly onChange: (problem: string | null) => void;
  /** The server must not or cannot go on. */
  readonly onFinal: (error: Error) => void;
}

/**
 * Keeps the exclusive consumer on `dms.<node>`, which Python programs and older versions use. That consumer also keeps a
 * second server of the same node id away.
 *
 * - consuming: until the channel closes or the broker cancels the consumer;
 * - in exclusive use: tried every second, and given up after a while, because another server has this node id;
 * - lost (its home broker is down, or the broker gives no answer): tried again with backoff, for as long as it takes;
 * - refused at the start: final.
 */
export class LegacyQueue {
  readonly #logger = new Logger(LegacyQueue.name);
  readonly #warnings = new RareWarnings(this.#logger);
  readonly #queue: string;
  #consumer: QueueConsumer | null = null;
  readonly #inUse: ExclusiveUse;
  #isLost = false;

  constructor(private readonly options: LegacyQueueOptions) {
    this.#queue = nodeQueue(options.node);
    this.#inUse = new ExclusiveUse(options.node, options.hasServed);
  }

  get consumer(): QueueConsumer | null {
    return this.#consumer;
  }

  /**
   * Consumes for as long as the connection is the current one.
   *
   * @param decided called once it is known whether this server may serve: it consumes the queue, or the queue is lost
   */
  async keep(connection: ChannelModel, isCurrent: () => boolean, decided: () => void): Promise<void> {
    let retryMs = RETRY_MS;
    while (isCurrent()) {
      try {
        await this.#consume(connection, () => {
          retryMs = RETRY_MS;
          decided();
        });
      } catch (error) {
        if (!isCurrent()) return;
        const final = this.#finalError(error);
        if (final !== null) return this.options.onFinal(final);
        if (this.#isLost) decided();
        if (!this.#inUse.isMet) retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
      }
      await sleep(retryMs, undefined, { ref: false });
    }
  }

  /** Resolves when it is not consumed any more. @throws Error why it is not, if the broker said so */
  async #consume(connection: ChannelModel, begun: () => void): Promise<void> {
    const declaration = {
      name: this.#queue,
      options: { durable: true },
      prefetch: this.options.prefetch,
    };
    const consumer = await QueueConsumer.declare(connection, declaration, this.options.listener);
    try {
      await consumer.consume(this.options.beforeConsuming);
      this.#consumer = consumer;
      this.#inUse.over();
      this.#isLost = false;
      this.#logger.log({ msg: 'Commands are consumed', queue: this.#queue });
      this.options.onChange(null);
      begun();
      const { reason, error } = await consumer.ended;
      if (error !== null) throw error;
      if (reason === 'cancelled')
        this.#warnings.warn(`The queue ${this.#queue} was deleted or lost; it is declared again`);
    } finally {
      if (this.#consumer === consumer) this.#consumer = null;
      await consumer.close();
    }
  }

  /** The error to give up with, or null if it is worth another try. */
  #finalError(error: unknown): Error | null {
    const text = error instanceof Error ? error.message : String(error);
    if (isInExclusiveUse(error)) {
      this.#report(`The queue ${this.#queue} cannot be consumed: ${text}`);
      return this.#inUse.met(this.#queue);
    }
    this.#inUse.over();
    if (!isOfTheQueue(error)) {
      this.#warnings.warn(`The queue ${this.#queue} cannot be consumed: ${text}`);
      return null;
    }
    if (!this.options.hasServed() && isRefusal(error))
      return new Error(`The broker refuses the queue ${this.#queue}: ${text}`);
    this.#isLost = true;
    this.#report(
      `The queue ${this.#queue} is lost: ${text}. Legacy callers (Python programs, older dms-clients) cannot reach this ` +
        `node; dms-client reaches it by the node's own queue. The queue comes back with its home broker. ` +
        `On RabbitMQ 3 a policy keeps it when that broker stops: ${POLICY}`,
    );
    return null;
  }

  #report(problem: string): void {
    this.#warnings.warn(problem);
    this.options.onChange(problem);
  }
}

/** The broker refuses the queue, or gives no answer; an error of the connection, or of the hello, says nothing of it. */
function isOfTheQueue(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code === 'number' || error instanceof LateError;
}
