import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { newCommandQueue } from '@app/contracts';
import { RareWarnings } from '@app/platform';
import { type ChannelModel } from 'amqplib';
import { isAccessRefused } from './broker-errors';
import { QueueConsumer, type QueueListener } from './queue-consumer';

const RETRY_MS = 1_000;
/** An operator has to give the account a permission first. */
const REFUSED_RETRY_MS = 30_000;
/** A virtual host may have another default type, and quorum queues cannot be exclusive. */
const OPTIONS = {
  exclusive: true,
  autoDelete: true,
  durable: false,
  arguments: { 'x-queue-type': 'classic' },
};

export interface OwnQueueOptions {
  readonly node: string;
  readonly prefetch: number;
  readonly listener: QueueListener;
  /** The name is to be told, before anything is consumed from it; null: there is no such queue any more. */
  readonly onName: (queue: string | null) => void;
  readonly beforeConsuming: (connection: ChannelModel) => Promise<void>;
  /** Commands are consumed. */
  readonly onBegun: () => void;
}

/**
 * Keeps a queue of the node's own on the broker that it is connected to. It has a new name for each connection: under the
 * old one the broker would refuse it until it has noticed that the old connection is dead.
 */
export class OwnQueue {
  readonly #logger = new Logger(OwnQueue.name);
  readonly #warnings = new RareWarnings(this.#logger);
  #consumer: QueueConsumer | null = null;

  constructor(private readonly options: OwnQueueOptions) {}

  get consumer(): QueueConsumer | null {
    return this.#consumer;
  }

  /** Consumes for as long as the connection is the current one. */
  async keep(connection: ChannelModel, isCurrent: () => boolean): Promise<void> {
    let retryMs = RETRY_MS;
    while (isCurrent()) {
      try {
        await this.#consume(connection, () => (retryMs = RETRY_MS));
      } catch (error) {
        if (!isCurrent()) return;
        this.#report(error);
        retryMs = isAccessRefused(error) ? REFUSED_RETRY_MS : RETRY_MS;
      }
      await sleep(retryMs, undefined, { ref: false });
    }
  }

  async #consume(connection: ChannelModel, begun: () => void): Promise<void> {
    const { node, prefetch } = this.options;
    const name = newCommandQueue(node);
    const consumer = await QueueConsumer.declare(
      connection,
      { name, options: OPTIONS, prefetch },
      this.options.listener,
    );
    try {
      this.options.onName(name);
      await consumer.consume(this.options.beforeConsuming);
      this.#consumer = consumer;
      this.#logger.log({ msg: 'Commands are consumed', queue: name });
      begun();
      this.options.onBegun();
      const { error } = await consumer.ended;
      if (error !== null) throw error;
    } finally {
      if (this.#consumer === consumer) this.#consumer = null;
      this.options.onName(null);
      await consumer.close();
    }
  }

  #report(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    const advice = isAccessRefused(error)
      ? '. Give its account the permissions in docs/SECURITY.md; until then commands come by the legacy queue only'
      : '';
    this.#warnings.warn(
      `The node's own queue cannot be consumed: ${text.replace(/[0-9a-f]{32}/g, '*')}${advice}`,
    );
  }
}
