import { Inject, Injectable } from '@nestjs/common';
import { BrokerAlarm } from '@app/platform';
import { MetricsPage } from '@app/platform/metrics';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { Gauge } from 'prom-client';
import { DataSource } from 'typeorm';
import { poolOf } from '../ledger/failover-pool';
import { BROKER } from '../nodes/broker.provider';
import { NodeClientProxy } from '../nodes/node-client.proxy';

/** What this process knows without asking anybody. */
@Injectable()
export class ProcessGauges {
  constructor(
    { registry }: MetricsPage,
    @Inject(BROKER) broker: AmqpConnectionManager,
    commands: NodeClientProxy,
    alarm: BrokerAlarm,
    dataSource: DataSource,
  ) {
    new Gauge({
      name: 'dms_ledger_up',
      help: '1 while the database accepts writes of this process.',
      registers: [registry],
      collect() {
        this.set(poolOf(dataSource).isUp ? 1 : 0);
      },
    });
    new Gauge({
      name: 'dms_broker_connected',
      help: '1 while there is a connection to the message broker.',
      registers: [registry],
      collect() {
        this.set(broker.isConnected() ? 1 : 0);
      },
    });
    new Gauge({
      name: 'dms_broker_blocked',
      help: '1 while the message broker blocks this process as a publisher: its memory or disk is short.',
      registers: [registry],
      collect() {
        this.set(alarm.reason === null ? 0 : 1);
      },
    });
    new Gauge({
      name: 'dms_commands_unanswered',
      help: 'Commands of this process that wait for the answer of their node.',
      registers: [registry],
      collect() {
        this.set(commands.unanswered);
      },
    });
  }
}
