import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import {
  asNodeEvent,
  asStateEvent,
  NODE_EVENT_PATTERN,
  type NodeEvent,
  nodeEventRoutingKey,
  STATE_EVENT_PATTERN,
} from '@app/contracts';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type ConsumeMessage } from 'amqplib';
import { BROKER } from '../nodes/broker.provider';
import { subscribe } from '../nodes/exchange-subscription';
import { NodeTrustService } from '../nodes/node-trust.service';
import { EventPublisher } from './event-publisher';
import { EventsService } from './events.service';
import { NodeEventsService } from './node-events.service';

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
    subscribe(this.broker, {
      name: 'heard events',
      patterns: [NODE_EVENT_PATTERN, STATE_EVENT_PATTERN],
      own: this.publisher.origin,
      hear: (body, message) => this.#hear(body, message),
      failed: (error) => this.#log.warn({ msg: 'Events cannot be heard at the moment', err: error }),
    });
  }

  #hear(body: unknown, message: ConsumeMessage): void {
    const { routingKey } = message.fields;
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
