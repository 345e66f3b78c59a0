import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import {
  EVENT_EXPIRATION_MS,
  EVENTS_EXCHANGE,
  type StateEventDto,
  stateEventRoutingKey,
} from '@app/contracts';
import { BrokerAlarm } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type Channel } from 'amqplib';
import { BROKER } from '../nodes/broker.provider';

/** Events that wait for the broker at most; then the oldest goes, for it says least about what is the case now. */
const MAX_WAITING = 1_000;

/** Publishes events to the exchange. What cannot be published in time is dropped: an event is a hint. */
@Injectable()
export class EventPublisher implements OnModuleInit {
  /** Tells this process' events from those of others. */
  readonly origin = randomUUID();
  readonly #log = new Logger(EventPublisher.name);
  readonly #waiting: StateEventDto[] = [];
  #channel: Channel | null = null;
  #isFull = false;

  constructor(
    @Inject(BROKER) private readonly broker: AmqpConnectionManager,
    private readonly alarm: BrokerAlarm,
  ) {
    alarm.onChange(() => this.#flush());
  }

  onModuleInit(): void {
    const events = this.broker.createChannel({
      name: 'published events',
      // A hint that is lost is not sent again.
      confirm: false,
      setup: (channel: Channel) => this.#open(channel),
    });
    events.on('error', (error: unknown) =>
      this.#log.warn({ msg: 'Events cannot be published at the moment', err: error }),
    );
  }

  /** Publishes the event now, or once the broker can be reached. Never throws. */
  publish(event: StateEventDto): void {
    if (this.#waiting.length >= MAX_WAITING) this.#waiting.shift();
    this.#waiting.push(event);
    this.#flush();
  }

  async #open(channel: Channel): Promise<void> {
    await channel.assertExchange(EVENTS_EXCHANGE, 'topic', { durable: true });
    channel.on('drain', () => {
      this.#isFull = false;
      this.#flush();
    });
    channel.once('close', () => {
      if (this.#channel === channel) this.#channel = null;
    });
    this.#channel = channel;
    this.#isFull = false;
    this.#flush();
  }

  #flush(): void {
    try {
      while (this.#channel !== null && !this.#isFull && this.alarm.reason === null) {
        const event = this.#waiting.shift();
        if (event === undefined) return;
        this.#isFull = !this.#send(this.#channel, event);
      }
    } catch (error) {
      // The channel has gone; the next one goes on with what waits.
      this.#channel = null;
      this.#log.debug({ msg: 'An event could not be published', err: error });
    }
  }

  #send(channel: Channel, event: StateEventDto): boolean {
    return channel.publish(
      EVENTS_EXCHANGE,
      stateEventRoutingKey(event.kind, event.host),
      Buffer.from(JSON.stringify(event)),
      {
        contentType: 'application/json',
        persistent: false,
        expiration: String(EVENT_EXPIRATION_MS),
        appId: this.origin,
      },
    );
  }
}
