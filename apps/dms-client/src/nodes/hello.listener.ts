import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { asHello, type Hello, HELLO_PATTERN, quoted } from '@app/contracts';
import { RareWarnings } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type ConsumeMessage } from 'amqplib';
import { BROKER } from './broker.provider';
import { subscribe } from './exchange-subscription';
import { NodeTrustService } from './node-trust.service';
import { NodeViewsService } from './node-views.service';

/** Nodes that were not heard before and are being judged. Beyond them a hello is passed over: the next one comes in two seconds. */
const MAX_NEW = 1_000;

interface Heard {
  readonly hello: Hello;
  readonly message: ConsumeMessage;
  /** By performance.now(). */
  readonly arrivedAt: number;
}

/** Hears the hellos of all nodes, on a queue of this process's own. */
@Injectable()
export class HelloListener implements OnModuleInit {
  readonly #log = new Logger(HelloListener.name);
  readonly #warnings = new RareWarnings(this.#log);

  /** By node, the newest hello that was not judged yet; a newer one replaces an older one. */
  readonly #waiting = new Map<string, Heard>();
  /** Nodes of which a hello is being judged: one at a time, so that none overtakes another. */
  readonly #judging = new Set<string>();
  /** Those of them that were not heard before. */
  readonly #new = new Set<string>();

  constructor(
    @Inject(BROKER) private readonly broker: AmqpConnectionManager,
    private readonly views: NodeViewsService,
    private readonly trust: NodeTrustService,
  ) {}

  onModuleInit(): void {
    this.broker.on('disconnect', () => this.views.lost());
    subscribe(this.broker, {
      name: 'hellos',
      patterns: [HELLO_PATTERN],
      hear: (body, message) => this.#hear(body, message),
      failed: (error) => this.#log.warn({ msg: 'Hellos cannot be heard at the moment', err: error }),
    });
  }

  #hear(body: unknown, message: ConsumeMessage): void {
    const hello = asHello(body);
    if (hello === null) {
      const { routingKey } = message.fields;
      this.#warnings.warn(`Something that is no hello was published as ${quoted(routingKey)}`);
      return;
    }
    if (!this.#isTaken(hello.node)) return;
    this.#waiting.set(hello.node, { hello, message, arrivedAt: performance.now() });
    if (!this.#judging.has(hello.node)) void this.#judgeAll(hello.node);
  }

  /** A node that was heard before, or is being judged, always is. */
  #isTaken(node: string): boolean {
    if (this.views.hasHeard(node) || this.#judging.has(node)) return true;
    if (this.#new.size < MAX_NEW && this.views.hasRoomFor(this.#new.size + 1)) return true;
    this.#warnings.warn('More nodes say hello than are heard: those that are new are passed over');
    return false;
  }

  async #judgeAll(node: string): Promise<void> {
    if (!this.views.hasHeard(node)) this.#new.add(node);
    this.#judging.add(node);
    for (let heard = this.#waiting.get(node); heard !== undefined; heard = this.#waiting.get(node)) {
      this.#waiting.delete(node);
      await this.#judge(heard).catch((error: unknown) => this.#log.error(error));
    }
    this.#judging.delete(node);
    this.#new.delete(node);
  }

  async #judge({ hello, message, arrivedAt }: Heard): Promise<void> {
    try {
      if (!(await this.trust.admits(hello, message))) return;
    } catch (error) {
      // The ledger cannot be asked; it is asked again with the next hello.
      this.#log.warn({ msg: 'A hello cannot be judged', host: hello.node, err: error });
      return;
    }
    if (hello.leaving !== true) return this.views.hear(hello, arrivedAt);
    await this.views.bidFarewell(hello);
  }
}
