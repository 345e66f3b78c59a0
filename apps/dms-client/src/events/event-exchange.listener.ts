import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import {
  asNodeEvent,
  asStateEvent,
  NODE_EVENT_PATTERN,
  type NodeEvent,
  nodeEventRoutingKey,
  quoted,
  STATE_EVENT_PATTERN,
} from '@app/contracts';
import { RareWarnings } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type ConsumeMessage } from 'amqplib';
import { BROKER } from '../nodes/broker.provider';
import { subscribe } from '../nodes/exchange-subscription';
import { NodeTrustService } from '../nodes/node-trust.service';
import { EventPublisher } from './event-publisher';
import { EventsService } from './events.service';
import { NodeEventsService } from './node-events.service';

/** Events that are being verified, in all and of one node; one on top is dropped: hellos repeat what is wrong. */
const MAX_VERIFIED = 1_000;
const MAX_VERIFIED_OF_NODE = 100;

/** Hears what nodes see and what other dms-clients have done, on a queue of this process's own. */
@Injectable()
export class EventExchangeListener implements OnModuleInit {
  readonly #log = new Logger(EventExchangeListener.name);
  readonly #warnings = new RareWarnings(this.#log);
  /** By node, how many events are being verified. */
  readonly #verified = new Map<string, number>();
  #verifiedInAll = 0;

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
    if (nodeEvent !== null) return this.#hearNode(nodeEvent, message);
    const stateEvent = asStateEvent(body);
    if (stateEvent !== null) return this.events.hear(stateEvent);
    this.#warnings.warn(`Something that is no event was published as ${quoted(routingKey)}`);
  }

  /** What a node has not signed is dropped, or what cannot be verified now: reconciliation finds what is missed. */
  #hearNode(event: NodeEvent, message: ConsumeMessage): void {
    const { node } = event;
    if (message.fields.routingKey !== nodeEventRoutingKey(event.event, node)) return this.#unsigned(node);
    const ofNode = this.#verified.get(node) ?? 0;
    if (ofNode >= MAX_VERIFIED_OF_NODE || this.#verifiedInAll >= MAX_VERIFIED)
      return this.#warnings.warn(`Events of node ${quoted(node)} are dropped: too many come at once`);
    this.#verifiedInAll += 1;
    this.#verified.set(node, ofNode + 1);
    void this.#verify(event, message).finally(() => {
      this.#verifiedInAll -= 1;
      const left = (this.#verified.get(node) ?? 1) - 1;
      if (left > 0) this.#verified.set(node, left);
      else this.#verified.delete(node);
    });
  }

  async #verify(event: NodeEvent, message: ConsumeMessage): Promise<void> {
    try {
      if (await this.trust.isSignedBy(event.node, message)) this.nodeEvents.hear(event);
      else this.#unsigned(event.node);
    } catch (error) {
      this.#warnings.warn(`An event of node ${quoted(event.node)} cannot be verified`, error as Error);
    }
  }

  #unsigned(node: string): void {
    this.#warnings.warn(`An event is dropped: node ${quoted(node)} has not signed it`);
  }
}
