import { EventEmitter } from 'node:events';
import { Logger } from '@nestjs/common';
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

// What the services log is of no interest here.
Logger.overrideLogger(false);

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
    this.#take({ content, fields: { routingKey: 'hello.n1' }, properties: {} } as unknown as ConsumeMessage);
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

  const brings = async (name: string, from: number, to: number): Promise<void> => {
    for (let index = from; index < to; index += 1) {
      broker.brings({ ...HELLO, node: `${name}-${index}` });
      if (index % 500 === 0) await turn();
    }
    await turn();
  };

  it('hears no more nodes than it has room for, and those that were there first go on being heard', async () => {
    // However slow the machine is, none of them is silent meanwhile.
    const clock = jest.spyOn(performance, 'now').mockReturnValue(1_000);
    broker.brings(HELLO);
    await brings('invented', 0, 10_500);
    expect(views.upHosts().size).toBe(10_000);
    broker.brings({ ...HELLO, incarnation: 'i2' });
    await turn();
    expect(await views.view('n1')).toMatchObject({ up: true, incarnation: 'i2' });
    expect(views.hasHeard('invented-10499')).toBe(false);
    clock.mockRestore();
  });

  it('makes room for a new node once others are silent', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(1_000);
    await brings('invented', 0, 10_000);
    clock.mockReturnValue(5_000);
    broker.brings({ ...HELLO, node: 'invented-0' });
    await turn();
    clock.mockReturnValue(8_000);
    broker.brings(HELLO);
    await turn();
    expect([views.hasHeard('n1'), views.hasHeard('invented-0'), views.hasHeard('invented-1')]).toEqual([
      true,
      true,
      false,
    ]);
    clock.mockRestore();
  });

  it('judges so many new nodes at once, and a node that was heard before whatever they do', async () => {
    broker.brings(HELLO);
    await turn();
    let judged = 0;
    admits = () => {
      judged += 1;
      return new Promise(() => undefined);
    };
    await brings('invented', 0, 2_000);
    expect(judged).toBe(1_000);
    broker.brings(HELLO);
    expect(judged).toBe(1_001);
  });

  it('reads nothing that is longer than a hello', async () => {
    broker.brings({ ...HELLO, ballast: 'x'.repeat(1024 * 1024) } as Hello);
    await turn();
    expect(views.hasHeard('n1')).toBe(false);
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
