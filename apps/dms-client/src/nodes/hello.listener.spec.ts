import { EventEmitter } from 'node:events';
import { type Hello } from '@app/contracts';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type ConsumeMessage } from 'amqplib';
import { HelloListener } from './hello.listener';
import { type NodeTrustService } from './node-trust.service';
import { NodeViewsService } from './node-views.service';
import { type NodesRepository } from './nodes.repository';

const HELLO: Hello = {
  node: 'n1',
  incarnation: 'i1',
  boot_id: 'b1',
  protocol: 1,
  version: '1',
  bases: ['/base'],
  mount_table_version: 1,
  public_key: null,
  signing_key: null,
};

/** A connection that brings what a test says. */
class FakeBroker extends EventEmitter {
  #take: (message: ConsumeMessage) => void = () => undefined;

  createChannel({ setup }: { setup: (channel: unknown) => Promise<void> }): EventEmitter {
    void setup({
      assertExchange: () => Promise.resolve(),
      assertQueue: () => Promise.resolve({ queue: 'q' }),
      bindQueue: () => Promise.resolve(),
      consume: (_queue: string, take: (message: ConsumeMessage) => void) => {
        this.#take = take;
        return Promise.resolve();
      },
    });
    return new EventEmitter();
  }

  brings(hello: Hello): void {
    const content = Buffer.from(JSON.stringify(hello));
    this.#take({ content, fields: {}, properties: {} } as unknown as ConsumeMessage);
  }
}

describe('HelloListener', () => {
  const repository = {
    heard: () => Promise.resolve(),
    find: () => Promise.resolve({ incarnation: 'i1', bases: null, state: 'up' }),
  } as unknown as NodesRepository;
  let broker: FakeBroker;
  let views: NodeViewsService;
  let admits: () => Promise<boolean>;

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const isUp = async (): Promise<boolean> => (await views.view('n1')).up;

  beforeEach(async () => {
    broker = new FakeBroker();
    views = new NodeViewsService(repository);
    admits = () => Promise.resolve(true);
    const trust = { admits: () => admits() } as unknown as NodeTrustService;
    new HelloListener(broker as unknown as AmqpConnectionManager, views, trust).onModuleInit();
    await turn();
  });

  it('says when the connection was lost: what it had brought is not believed', async () => {
    broker.brings(HELLO);
    await turn();
    expect(await isUp()).toBe(true);
    broker.emit('disconnect', {});
    expect(await isUp()).toBe(false);
    broker.brings(HELLO);
    await turn();
    expect(await isUp()).toBe(true);
  });

  it('counts no hello that is still being judged when the connection is lost', async () => {
    let judge: (verdict: boolean) => void = () => undefined;
    admits = () => new Promise((resolve) => (judge = resolve));
    broker.brings(HELLO);
    broker.emit('disconnect', {});
    judge(true);
    await turn();
    expect(await isUp()).toBe(false);
  });
});
