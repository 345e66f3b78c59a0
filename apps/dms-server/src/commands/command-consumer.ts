import { Logger } from '@nestjs/common';
import { brokerFailure, RareWarnings } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type ChannelModel, type ConsumeMessage } from 'amqplib';
import { type BrokerFactory } from './broker.provider';
import { LegacyQueue } from './legacy-queue';
import { NodeClaim } from './node-claim';
import { OwnQueue } from './own-queue';
import { type Delivery, type QueueConsumer, type QueueListener } from './queue-consumer';
import { within } from './within';

/** What the hellos of this node tell of its queues. */
export interface AnnouncedQueues {
  commandQueue: string | null;
  legacyQueueProblem: string | null;
}

export interface ConsumerOptions {
  readonly node: string;
  /** Commands of each queue that may be in the node. */
  readonly prefetch: number;
  readonly connect: BrokerFactory;
  /** Kept up to date here. */
  readonly announced: AnnouncedQueues;
  /** Runs on each new connection, before anything is consumed from a queue there. */
  readonly beforeConsuming: (connection: ChannelModel) => Promise<void>;
  readonly onDelivery: (delivery: Delivery) => void;
  /** It has begun to consume and cannot go on, now or later. */
  readonly onFailure: (error: Error) => void;
}

const BROKER_ANSWER_MS = 10_000;

/**
 * Consumes this node's commands from its own queue and from `dms.<node>`, on each connection, after each closed channel,
 * and after somebody deleted a queue. Either queue alone is enough.
 *
 * At the start it finds out first that no other server has this node id: by a queue that only one can declare, before it
 * says a hello, and by the exclusive consumer of `dms.<node>`, which older versions have too. A server that has served
 * before takes up its own queue at once.
 */
export class CommandConsumer {
  readonly #logger = new Logger(CommandConsumer.name);
  readonly #warnings = new RareWarnings(this.#logger);
  readonly #own: OwnQueue;
  readonly #legacy: LegacyQueue;
  readonly #claim: NodeClaim;
  #manager: AmqpConnectionManager | null = null;
  #stopped = false;
  #hasServed = false;
  #started: { resolve: () => void; reject: (error: Error) => void } | null = null;

  constructor(private readonly options: ConsumerOptions) {
    const { node, prefetch, announced } = options;
    const listener: QueueListener = {
      onDelivery: options.onDelivery,
      onReturn: (message) => this.#returned(message),
    };
    this.#own = new OwnQueue({
      node,
      prefetch,
      listener,
      onName: (queue) => (announced.commandQueue = queue),
      beforeConsuming: options.beforeConsuming,
      onBegun: () => this.#begun(),
    });
    const hasServed = (): boolean => this.#hasServed;
    const onFinal = (error: Error): void => this.#fail(error);
    this.#claim = new NodeClaim({ node, hasServed, onFinal });
    this.#legacy = new LegacyQueue({
      node,
      prefetch,
      listener,
      hasServed,
      beforeConsuming: options.beforeConsuming,
      onChange: (problem) => {
        announced.legacyQueueProblem = problem;
        if (problem === null) this.#begun();
      },
      onFinal,
    });
  }

  get isConsuming(): boolean {
    return this.#consumers().length > 0;
  }

  /** Whether `dms.<node>` is consumed. */
  get isLegacyUp(): boolean {
    return this.#legacy.consumer !== null;
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
      if (manager.connection === undefined) return;
      this.#serve(manager.connection).catch((error: unknown) => this.#logger.error(error));
    });
    manager.on('connectFailed', (failure) => {
      this.#warnings.warn(`The broker cannot be reached: ${brokerFailure(failure)}`);
    });
    manager.on('disconnect', ({ err }) => {
      if (!this.#stopped)
        this.#warnings.warn(`The connection to the broker is lost: ${err?.message ?? 'closed'}`);
    });
    await started;
    return manager;
  }

  /** No more commands come; those that came can still be answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const consumer of this.#consumers()) {
      await consumer.cancel().catch((error: unknown) => {
        // Without a connection there is no consumer to be ended.
        this.#logger.debug({ msg: 'The consumer could not be cancelled', err: error });
      });
    }
    await this.#claim.release();
  }

  /** Closes the connection; what was not acknowledged goes back to `dms.<node>`. */
  async close(): Promise<void> {
    this.#stopped = true;
    const manager = this.#manager;
    this.#manager = null;
    if (manager === null) return;
    // What was sent last is written only when its channel ends: the end of the connection would overtake it.
    for (const consumer of this.#consumers()) await consumer.close();
    await within(manager.close(), BROKER_ANSWER_MS, 'the end of the connection').catch((error: unknown) => {
      this.#logger.warn({ msg: 'The connection to the broker could not be closed', err: error });
    });
  }

  #consumers(): QueueConsumer[] {
    return [this.#own.consumer, this.#legacy.consumer].filter((consumer) => consumer !== null);
  }

  /** Consumes for as long as this connection is the current one. */
  async #serve(connection: ChannelModel): Promise<void> {
    const isCurrent = (): boolean => !this.#stopped && this.#manager?.connection === connection;
    const claim = begun((decided) => this.#claim.keep(connection, isCurrent, decided));
    if (!this.#hasServed) await claim.decided;
    if (!isCurrent()) return;
    const legacy = begun((decided) => this.#legacy.keep(connection, isCurrent, decided));
    if (!this.#hasServed) await legacy.decided;
    await Promise.all([claim.ended, legacy.ended, this.#own.keep(connection, isCurrent)]);
  }

  #returned(message: ConsumeMessage): void {
    const correlationId = message.properties.correlationId as unknown;
    this.#logger.warn({ msg: 'A reply reached nobody: its queue is gone', correlationId });
  }

  #begun(): void {
    this.#hasServed = true;
    this.#started?.resolve();
    this.#started = null;
  }

  #fail(error: Error): void {
    this.#stopped = true;
    const started = this.#started;
    this.#started = null;
    if (started !== null) started.reject(error);
    else this.options.onFailure(error);
  }
}

/** Starts work that goes on after it has said whether the server may; `decided` resolves with its end at the latest. */
function begun(work: (decided: () => void) => Promise<void>): {
  decided: Promise<void>;
  ended: Promise<void>;
} {
  let decide: () => void = () => undefined;
  const decided = new Promise<void>((resolve) => (decide = resolve));
  const ended = work(decide);
  return { decided: Promise.race([decided, ended]), ended };
}
