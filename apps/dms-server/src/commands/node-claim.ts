import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { nodeClaimQueue } from '@app/contracts';
import { RareWarnings } from '@app/platform';
import { type Channel, type ChannelModel } from 'amqplib';
import { isAccessRefused, isLocked } from './broker-errors';
import { ExclusiveUse } from './exclusive-use';
import { within } from './within';

const BROKER_ANSWER_MS = 10_000;
const RETRY_MS = 1_000;
/** An operator has to give the account a permission first. */
const REFUSED_RETRY_MS = 30_000;
/** Nobody consumes it, so it keeps no message. */
const OPTIONS = {
  exclusive: true,
  durable: false,
  arguments: { 'x-queue-type': 'classic', 'x-max-length': 0 },
};

export interface NodeClaimOptions {
  readonly node: string;
  /** Whether this server has served commands before: a cut connection is no second server then. */
  readonly hasServed: () => boolean;
  /** Another server has this node id. */
  readonly onFinal: (error: Error) => void;
}

/**
 * Declares a queue for this connection alone, whose name is known from the node id: a second server of the same node id
 * is kept away by it before it says a hello, also while `dms.<node>` is lost.
 */
export class NodeClaim {
  readonly #warnings = new RareWarnings(new Logger(NodeClaim.name));
  readonly #queue: string;
  readonly #inUse: ExclusiveUse;
  #channel: Channel | null = null;

  constructor(private readonly options: NodeClaimOptions) {
    this.#queue = nodeClaimQueue(options.node);
    this.#inUse = new ExclusiveUse(options.node, options.hasServed);
  }

  /**
   * Tries until the queue is this connection's, for as long as that is the current one.
   *
   * @param decided called once this server may go on: it has the queue, or the broker cannot say who has it
   */
  async keep(connection: ChannelModel, isCurrent: () => boolean, decided: () => void): Promise<void> {
    while (isCurrent()) {
      let retryMs = RETRY_MS;
      try {
        await this.#declare(connection);
        this.#inUse.over();
        return decided();
      } catch (error) {
        if (!isCurrent()) return;
        const final = this.#judge(error);
        if (final !== null) return this.options.onFinal(final);
        if (!this.#inUse.isMet) decided();
        if (isAccessRefused(error)) retryMs = REFUSED_RETRY_MS;
      }
      await sleep(retryMs, undefined, { ref: false });
    }
  }

  /** Lets the next server of this node begin, while this one still ends what is under way. */
  async release(): Promise<void> {
    const channel = this.#channel;
    this.#channel = null;
    if (channel === null) return;
    // Without a connection the queue has gone already.
    await within(channel.deleteQueue(this.#queue), BROKER_ANSWER_MS, 'the end of a queue').catch(
      () => undefined,
    );
  }

  async #declare(connection: ChannelModel): Promise<void> {
    const channel = await within(connection.createChannel(), BROKER_ANSWER_MS, 'a channel');
    // The promise of the declaration tells the error; a channel without a listener would end the process.
    channel.on('error', () => undefined);
    try {
      await within(channel.assertQueue(this.#queue, OPTIONS), BROKER_ANSWER_MS, `the queue ${this.#queue}`);
      this.#channel = channel;
    } finally {
      // After an error of the broker the channel has closed already.
      if (this.#channel !== channel)
        await within(channel.close(), BROKER_ANSWER_MS, 'the end of a channel').catch(() => undefined);
    }
  }

  /** Returns the error to give up with, or null if it is worth another try. */
  #judge(error: unknown): Error | null {
    const text = error instanceof Error ? error.message : String(error);
    if (isLocked(error)) {
      this.#warnings.warn(`Another dms-server may have this node id; it is waited for to end: ${text}`);
      return this.#inUse.met(this.#queue);
    }
    // Any other error says nothing of whether the other server is still there.
    if (isAccessRefused(error)) this.#inUse.over();
    const advice = isAccessRefused(error) ? '. Give its account the permissions in docs/SECURITY.md' : '';
    this.#warnings.warn(
      `The queue ${this.#queue}, which keeps other servers away, is missing: ${text}${advice}`,
    );
    return null;
  }
}
