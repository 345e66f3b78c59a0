import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { alarmText, BrokerAlarm } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { BROKER } from '../nodes/broker.provider';

/** Looks at the connection that the process has; Terminus' own indicator opens a new one at each probe. */
@Injectable()
export class BrokerHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    @Inject(BROKER) private readonly broker: AmqpConnectionManager,
    private readonly alarm: BrokerAlarm,
  ) {}

  check(key: string): HealthIndicatorResult {
    const indicator = this.indicators.check(key);
    const { reason } = this.alarm;
    if (reason !== null) return indicator.down(alarmText(reason));
    return this.broker.isConnected() ? indicator.up() : indicator.down('not connected');
  }
}
