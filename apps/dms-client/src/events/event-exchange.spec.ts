import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { type NodeEvent, nodeEventRoutingKey } from '@app/contracts';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type ConsumeMessage } from 'amqplib';
import { type NodeTrustService } from '../nodes/node-trust.service';
import { EventExchangeListener } from './event-exchange.listener';
import { type EventPublisher } from './event-publisher';
import { type EventsService } from './events.service';
import { type NodeEventsService } from './node-events.service';

// What the services log is of no interest here.
Logger.overrideLogger(false);

const EVENT: NodeEvent = {
  event: 'vanished',
  node: 'loud',
  incarnation: 'i',
  epoch: 1,
  mnt_id: 7,
  backup_target_id: 't',
  mount_path: '/base/t',
  at: '2026-01-01T00:00:00.000Z',
};

describe('events of nodes on the exchange', () => {
  let brings: (event: NodeEvent, routingKey?: string) => void;
  let verify: (() => void)[];
  let heard: string[];

  beforeEach(async () => {
    verify = [];
    heard = [];
    const channel = {
      assertExchange: () => Promise.resolve(),
      assertQueue: () => Promise.resolve({ queue: 'q' }),
      bindQueue: () => Promise.resolve(),
      consume: (_queue: string, take: (message: ConsumeMessage) => void) => {
        brings = (event, routingKey = nodeEventRoutingKey(event.event, event.node)) =>
          take({
            content: Buffer.from(JSON.stringify(event)),
            fields: { routingKey },
            properties: {},
          } as unknown as ConsumeMessage);
        return Promise.resolve();
      },
    };
    const broker = {
      createChannel: ({ setup }: { setup: (channel: unknown) => Promise<void> }) => {
        void setup(channel);
        return new EventEmitter();
      },
    };
    new EventExchangeListener(
      broker as unknown as AmqpConnectionManager,
      { origin: 'here' } as unknown as EventPublisher,
      {} as EventsService,
      { hear: ({ node }: NodeEvent) => void heard.push(node) } as unknown as NodeEventsService,
      {
        isSignedBy: () => new Promise((resolve) => verify.push(() => resolve(true))),
      } as unknown as NodeTrustService,
    ).onModuleInit();
    await turn();
  });

  const verifyAll = async (): Promise<void> => {
    for (const end of verify.splice(0)) end();
    await turn();
  };

  it('of one node that come without end leave the others theirs, and are taken again afterwards', async () => {
    for (let index = 0; index < 5_000; index += 1) brings(EVENT);
    brings({ ...EVENT, node: 'quiet' });
    expect(verify).toHaveLength(101);
    await verifyAll();
    expect(heard.filter((node) => node === 'quiet')).toHaveLength(1);
    brings(EVENT);
    await verifyAll();
    expect(heard).toHaveLength(102);
  });

  it('of many nodes are verified so many at a time', () => {
    for (let index = 0; index < 5_000; index += 1) brings({ ...EVENT, node: `n${index % 50}` });
    expect(verify).toHaveLength(1_000);
  });

  it('in the name of another one cost no look into the ledger', () => {
    brings(EVENT, nodeEventRoutingKey('vanished', 'other'));
    expect(verify).toHaveLength(0);
  });
});
