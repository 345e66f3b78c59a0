import { EventEmitter } from 'node:events';
import { type Logger } from '@nestjs/common';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { BrokerAlarm } from './broker-alarm';

describe('BrokerAlarm', () => {
  const broker = new EventEmitter();
  const errors: unknown[] = [];
  const logger = { log: () => undefined, error: (line: unknown) => errors.push(line) } as unknown as Logger;

  it('An alarm lasts until the broker ends it or the connection is lost, and is told once.', () => {
    const alarm = new BrokerAlarm(logger);
    const told: (string | null)[] = [];
    alarm.onChange((reason) => told.push(reason));
    alarm.watch(broker as unknown as AmqpConnectionManager);
    expect(alarm.reason).toBeNull();
    for (const _ of 'twice') broker.emit('blocked', { reason: 'low on memory' });
    expect(alarm.reason).toBe('low on memory');
    broker.emit('unblocked');
    broker.emit('blocked', { reason: 'low on disk' });
    broker.emit('disconnect', {});
    expect(alarm.reason).toBeNull();
    expect(told).toEqual(['low on memory', null, 'low on disk', null]);
    expect(errors).toHaveLength(2);
    expect(errors[0]).toMatchObject({
      code: 'BROKER_UNAVAILABLE',
      msg: expect.stringContaining('low on memory') as unknown,
    });
  });
});
