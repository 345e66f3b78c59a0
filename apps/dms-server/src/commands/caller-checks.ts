import { Injectable } from '@nestjs/common';
import { type Channel, type ChannelModel } from 'amqplib';
import { within } from './within';

const NOT_FOUND = 404;
const RESOURCE_LOCKED = 405;
const CHECK_MS = 5_000;
/** The broker's own reply queues (direct reply-to) are not asked for. */
export const PSEUDO_QUEUE = 'amq.rabbitmq.reply-to.';

/** Finds out whether callers still wait for their replies. */
@Injectable()
export class CallerChecks {
  readonly #checks = new WeakMap<ChannelModel, ConnectionChecks>();

  /**
   * True if the queue on which the caller waits for its reply still stands.
   *
   * @throws Error if the broker does not say: the command is not to be obeyed then
   */
  async waits(connection: ChannelModel, replyTo: string): Promise<boolean> {
    if (replyTo.startsWith(PSEUDO_QUEUE)) return true;
    const checks = this.#checks.get(connection) ?? new ConnectionChecks(connection);
    this.#checks.set(connection, checks);
    return await checks.waits(replyTo);
  }
}

/**
 * Asks the broker for one queue at a time, by passive declaration, on a channel that is opened again when the broker has
 * closed it to say no. Whoever asks for a queue before its check has begun shares the answer: a later command may be of a
 * caller that has come back meanwhile. So the number of checks is bounded by that of the commands that are in the node.
 */
class ConnectionChecks {
  /** By queue, those that have not begun. */
  readonly #waiting = new Map<string, Promise<boolean>>();
  #last: Promise<unknown> = Promise.resolve();
  #channel: Channel | null = null;

  constructor(private readonly connection: ChannelModel) {}

  waits(replyTo: string): Promise<boolean> {
    const waiting = this.#waiting.get(replyTo);
    if (waiting !== undefined) return waiting;
    const answer = this.#last.then(() => {
      this.#waiting.delete(replyTo);
      return this.#ask(replyTo);
    });
    this.#waiting.set(replyTo, answer);
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** 404: the queue is gone, and so is the caller. 405: it is exclusive to a connection that lives. */
  async #ask(replyTo: string): Promise<boolean> {
    const channel = this.#channel ?? (await this.#open());
    try {
      await within(channel.checkQueue(replyTo), CHECK_MS, 'the look for the caller');
      return true;
    } catch (error) {
      // An error closes the channel; one that gives no answer is not asked again.
      if (this.#channel === channel) this.#channel = null;
      const { code } = error as { code?: unknown };
      if (code === NOT_FOUND) return false;
      if (code === RESOURCE_LOCKED) return true;
      void endOf(channel);
      throw error;
    }
  }

  async #open(): Promise<Channel> {
    const channel = await within(this.connection.createChannel(), CHECK_MS, 'a channel to look for callers');
    // The refusal comes as an event too, and one that nobody hears ends the process.
    channel.on('error', () => undefined);
    channel.on('close', () => {
      if (this.#channel === channel) this.#channel = null;
    });
    this.#channel = channel;
    return channel;
  }
}

/** Closes a channel that the broker has perhaps closed, which is no matter then. */
async function endOf(channel: Channel): Promise<void> {
  try {
    await within(channel.close(), CHECK_MS, 'the end of a channel');
  } catch {
    // It is closed, or goes with its connection.
  }
}
