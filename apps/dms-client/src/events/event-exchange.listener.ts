import { setTimeout as sleep } from 'node:timers/promises';
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

/** A subscriber is not kept waiting for a broker that does not answer. */
const LISTEN_MS = 2_000;

/**
 * Hears what nodes see, and what other dms-clients have done, on queues of this process's own. The latter is for
 * subscribers alone, and there is one for each request: until the first of them it is not listened to.
 */
@Injectable()
export class EventExchangeListener implements OnModuleInit {
  readonly #log = new Logger(EventExchangeListener.name);
  #listening: Promise<void> | null = null;

  constructor(
    @Inject(BROKER) private readonly broker: AmqpConnectionManager,
    private readonly publisher: EventPublisher,
    private readonly events: EventsService,
    private readonly nodeEvents: NodeEventsService,
    private readonly trust: NodeTrustService,
  ) {}

  onModuleInit(): void {
    void subscribe(this.broker, {
      name: 'heard events',
      patterns: [NODE_EVENT_PATTERN],
      hear: (body, message) => this.#hearFromNode(body, message),
      failed: (error) => this.#failed(error),
    });
  }

  /** Listens from now on to what other dms-clients do. Resolves when that has begun, or cannot begin soon. */
  async listen(): Promise<void> {
    this.#listening ??= subscribe(this.broker, {
      name: 'heard changes',
      patterns: [STATE_EVENT_PATTERN],
      own: this.publisher.origin,
      hear: (body, message) => this.#hearChange(body, message),
      failed: (error) => this.#failed(error),
    });
    if (!this.broker.isConnected()) return;
    await Promise.race([this.#listening, sleep(LISTEN_MS, undefined, { ref: false })]);
  }

  #failed(error: unknown): void {
    this.#log.warn({ msg: 'Events cannot be heard at the moment', err: error });
  }

  #hearFromNode(body: unknown, message: ConsumeMessage): void {
    const event = asNodeEvent(body);
    if (event === null) this.#isNone(message);
    else void this.#judge(event, message);
  }

  #hearChange(body: unknown, message: ConsumeMessage): void {
    const event = asStateEvent(body);
    if (event === null) this.#isNone(message);
    else this.events.hear(event);
  }

  #isNone({ fields }: ConsumeMessage): void {
    this.#log.warn({ msg: 'Something that is no event was published', routing_key: fields.routingKey });
  }

  /** What a node has not signed is dropped, or what cannot be verified now: reconciliation finds what is missed. */
  async #judge(event: NodeEvent, message: ConsumeMessage): Promise<void> {
    try {
      const named = message.fields.routingKey === nodeEventRoutingKey(event.event, event.node);
      if (named && (await this.trust.isSignedBy(event.node, message))) return this.nodeEvents.hear(event);
      this.#log.warn({ msg: 'An event is dropped: its node has not signed it', host: event.node });
    } catch (error) {
      this.#log.warn({ msg: 'An event of a node cannot be verified', host: event.node, err: error });
    }
  }
}
