import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { asHello, EVENTS_EXCHANGE, HELLO_PATTERN } from '@app/contracts';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type Channel, type ConsumeMessage } from 'amqplib';
import { BROKER } from './broker.provider';
import { NodeViewsService } from './node-views.service';

/** Hellos that wait here at most; a newer one makes an older one worthless. */
const MAX_WAITING = 10_000;

/** Hears the hellos of all nodes, on a queue of this process's own. */
@Injectable()
export class HelloListener implements OnModuleInit {
  readonly #log = new Logger(HelloListener.name);

  constructor(
    @Inject(BROKER) private readonly broker: AmqpConnectionManager,
    private readonly views: NodeViewsService,
  ) {}

  onModuleInit(): void {
    const hellos = this.broker.createChannel({
      name: 'hellos',
      setup: (channel: Channel) => this.#listen(channel),
    });
    // The connection was lost, or closed, while the channel was set up; the next one sets it up anew.
    hellos.on('error', (error: unknown) =>
      this.#log.warn({ msg: 'Hellos cannot be heard at the moment', err: error }),
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
    await channel.bindQueue(queue, EVENTS_EXCHANGE, HELLO_PATTERN);
    await channel.consume(queue, (message) => this.#hear(message), { noAck: true });
  }

  #hear(message: ConsumeMessage | null): void {
    if (message === null) return;
    let body: unknown;
    try {
      body = JSON.parse(message.content.toString('utf8'));
    } catch {
      body = null;
    }
    const hello = asHello(body);
    if (hello === null) {
      this.#log.warn({
        msg: 'Something that is no hello was published',
        routing_key: message.fields.routingKey,
      });
      return;
    }
    this.views.hear(hello).catch((error: unknown) => this.#log.error(error));
  }
}
