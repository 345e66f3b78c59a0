import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { BROKER } from '../nodes/broker.provider';

/** Looks at the connection that the process has; Terminus' own indicator opens a new one at each probe. */
@Injectable()
export class BrokerHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    @Inject(BROKER) private readonly broker: AmqpConnectionManager,
  ) {}

  check(key: string): HealthIndicatorResult {
    const indicator = this.indicators.check(key);
    return this.broker.isConnected() ? indicator.up() : indicator.down('not connected');
  }
}
