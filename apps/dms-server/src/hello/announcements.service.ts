import { Injectable, Logger } from '@nestjs/common';
import { EVENT_EXPIRATION_MS, EVENTS_EXCHANGE } from '@app/contracts';
import { type ChannelModel, type ConfirmChannel } from 'amqplib';
import { within } from '../commands/within';

const CONFIRM_MS = 5_000;

/** Tells all who listen what this node has to say: hellos and events, to the topic exchange. */
@Injectable()
export class Announcements {
  readonly #logger = new Logger(Announcements.name);
  #connection: ChannelModel | null = null;
  #channel: Promise<ConfirmChannel> | null = null;

  /** From now on announcements go over this connection. */
  begin(connection: ChannelModel): void {
    if (this.#connection !== connection) this.#channel = null;
    this.#connection = connection;
  }

  end(): void {
    this.#connection = null;
    this.#channel = null;
  }

  /**
   * Publishes a message that is worthless when it is late. When it resolves the broker has it.
   *
   * @throws Error where there is no connection, or the broker does not confirm in time
   */
  async publish(routingKey: string, body: object): Promise<void> {
    const channel = await within(this.#open(), CONFIRM_MS, 'a channel for announcements');
    const confirmed = new Promise<void>((resolve, reject) => {
      channel.publish(
        EVENTS_EXCHANGE,
        routingKey,
        Buffer.from(JSON.stringify(body)),
        { contentType: 'application/json', persistent: false, expiration: String(EVENT_EXPIRATION_MS) },
        (error: unknown) => {
          if (error === null || error === undefined) resolve();
          else reject(error instanceof Error ? error : new Error('The broker refused an announcement'));
        },
      );
    });
    await within(confirmed, CONFIRM_MS, 'the confirmation of an announcement');
  }

  /** Several that come at once share one channel, also while it is being opened. */
  async #open(): Promise<ConfirmChannel> {
    if (this.#connection === null) throw new Error('There is no connection to the broker');
    const opening = this.#channel ?? this.#openOn(this.#connection);
    this.#channel = opening;
    try {
      return await opening;
    } catch (error) {
      this.#forget(opening);
      throw error;
    }
  }

  async #openOn(connection: ChannelModel): Promise<ConfirmChannel> {
    const channel = await connection.createConfirmChannel();
    channel.on('error', (error: Error) => {
      this.#logger.warn(`The broker closed the channel of announcements: ${error.message}`);
    });
    channel.on('close', () => {
      if (this.#connection === connection) this.#channel = null;
    });
    await channel.assertExchange(EVENTS_EXCHANGE, 'topic', { durable: true });
    return channel;
  }

  #forget(opening: Promise<ConfirmChannel>): void {
    if (this.#channel === opening) this.#channel = null;
  }
}
