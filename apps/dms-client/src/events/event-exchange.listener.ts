import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import {
  asNodeEvent,
  asStateEvent,
  EVENTS_EXCHANGE,
  NODE_EVENT_PATTERN,
  type NodeEvent,
  nodeEventRoutingKey,
  STATE_EVENT_PATTERN,
} from '@app/contracts';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type Channel, type ConsumeMessage } from 'amqplib';
import { BROKER } from '../nodes/broker.provider';
import { NodeTrustService } from '../nodes/node-trust.service';
import { EventPublisher } from './event-publisher';
import { EventsService } from './events.service';
import { NodeEventsService } from './node-events.service';

/** Events that wait here at most; then the oldest goes. */
const MAX_WAITING = 10_000;

/** Hears what nodes see and what other dms-clients have done, on a queue of this process's own. */
@Injectable()
export class EventExchangeListener implements OnModuleInit {
  readonly #log = new Logger(EventExchangeListener.name);

  constructor(
    @Inject(BROKER) private readonly broker: AmqpConnectionManager,
    private readonly publisher: EventPublisher,
    private readonly events: EventsService,
    private readonly nodeEvents: NodeEventsService,
    private readonly trust: NodeTrustService,
  ) {}

  onModuleInit(): void {
    const heard = this.broker.createChannel({
      name: 'heard events',
      setup: (channel: Channel) => this.#listen(channel),
    });
    heard.on('error', (error: unknown) =>
      this.#log.warn({ msg: 'Events cannot be heard at the moment', err: error }),
    );
  }

  async #listen(channel: Channel): Promise<void> {
    await channel.assertExchange(EVENTS_EXCHANGE, 'topic', { durable: true });
    const { queue } = await channel.assertQueue('', {
      exclusive: true,
      autoDelete: true,
      durable: false,
      maxLength: MAX_WAITING,
    });
    await channel.bindQueue(queue, EVENTS_EXCHANGE, NODE_EVENT_PATTERN);
    await channel.bindQueue(queue, EVENTS_EXCHANGE, STATE_EVENT_PATTERN);
    await channel.consume(queue, (message) => this.#hear(message), { noAck: true });
  }

  #hear(message: ConsumeMessage | null): void {
    if (message === null || message.properties.appId === this.publisher.origin) return;
    const { routingKey } = message.fields;
    const body = parsed(message.content);
    const nodeEvent = asNodeEvent(body);
    if (nodeEvent !== null) return void this.#hearNode(nodeEvent, message);
    const stateEvent = asStateEvent(body);
    if (stateEvent !== null) return this.events.hear(stateEvent);
    this.#log.warn({ msg: 'Something that is no event was published', routing_key: routingKey });
  }

  /** What a node has not signed is dropped, or what cannot be verified now: reconciliation finds what is missed. */
  async #hearNode(event: NodeEvent, message: ConsumeMessage): Promise<void> {
    try {
      const named = message.fields.routingKey === nodeEventRoutingKey(event.event, event.node);
      if (named && (await this.trust.isSignedBy(event.node, message))) return this.nodeEvents.hear(event);
      this.#log.warn({ msg: 'An event is dropped: its node has not signed it', host: event.node });
    } catch (error) {
      this.#log.warn({ msg: 'An event of a node cannot be verified', host: event.node, err: error });
    }
  }
}

function parsed(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch {
    return null;
  }
}
