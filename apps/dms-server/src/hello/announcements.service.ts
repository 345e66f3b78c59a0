import { Inject, Injectable, Logger } from '@nestjs/common';
import { EVENT_EXPIRATION_MS, EVENTS_EXCHANGE, SIGNATURE_HEADER, signMessage } from '@app/contracts';
import { alarmText, BrokerAlarm } from '@app/platform';
import { type ChannelModel, type ConfirmChannel } from 'amqplib';
import { within } from '../commands/within';
import { NODE_KEYS, type NodeKeys } from '../keys/node-keys';

const CONFIRM_MS = 5_000;

/** Tells all who listen what this node has to say: hellos and events, to the topic exchange, signed with its key. */
@Injectable()
export class Announcements {
  readonly #logger = new Logger(Announcements.name);
  #connection: ChannelModel | null = null;
  #channel: Promise<ConfirmChannel> | null = null;

  constructor(
    @Inject(NODE_KEYS) private readonly keys: Pick<NodeKeys, 'signing'>,
    @Inject(BrokerAlarm) private readonly alarm: Pick<BrokerAlarm, 'reason'>,
  ) {}

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
   * @throws Error where there is no connection, the broker blocks publishers, or does not confirm in time
   */
  async publish(routingKey: string, body: object): Promise<void> {
    // The broker would deliver it when the alarm ends, as if it were new.
    if (this.alarm.reason !== null) throw new Error(alarmText(this.alarm.reason));
    const content = Buffer.from(JSON.stringify(body));
    const headers = { [SIGNATURE_HEADER]: await this.#sign(routingKey, content) };
    const channel = await within(this.#open(), CONFIRM_MS, 'a channel for announcements');
    const confirmed = new Promise<void>((resolve, reject) => {
      channel.publish(
        EVENTS_EXCHANGE,
        routingKey,
        content,
        {
          contentType: 'application/json',
          persistent: false,
          expiration: String(EVENT_EXPIRATION_MS),
          headers,
        },
        (error: unknown) => {
          if (error === null || error === undefined) resolve();
          else reject(error instanceof Error ? error : new Error('The broker refused an announcement'));
        },
      );
    });
    await within(confirmed, CONFIRM_MS, 'the confirmation of an announcement');
  }

  #sign(address: string, content: Buffer): Promise<string> {
    const message = { kind: 'announcement', address, content, replyTo: null, correlationId: null } as const;
    return signMessage(message, this.keys.signing, EVENT_EXPIRATION_MS);
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
