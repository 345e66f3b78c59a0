import { EventEmitter } from 'node:events';
import { type ChannelModel } from 'amqplib';

/** A connection whose broker answers passive declarations, and closes the channel to say no. */
export class FakeConnection {
  /** Queues that stand; a code closes the channel; no entry: 404. */
  readonly queues = new Map<string, 'stands' | number>();
  readonly checked: string[] = [];
  opened = 0;
  open = 0;
  mostOpen = 0;

  get model(): ChannelModel {
    return this as unknown as ChannelModel;
  }

  createChannel(): Promise<EventEmitter> {
    this.opened += 1;
    this.open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    const channel = Object.assign(new EventEmitter(), {
      checkQueue: (queue: string): Promise<void> => this.#check(channel, queue),
      close: (): Promise<void> => Promise.reject(new Error('Channel closed')),
    });
    return Promise.resolve(channel);
  }

  async #check(channel: EventEmitter, queue: string): Promise<void> {
    this.checked.push(queue);
    await new Promise((resolve) => setImmediate(resolve));
    const answer = this.queues.get(queue) ?? 404;
    if (answer === 'stands') return;
    this.open -= 1;
    const error = Object.assign(new Error(`${answer} from the broker`), { code: answer });
    channel.emit('error', error);
    channel.emit('close');
    throw error;
  }
}
