import { type FactoryProvider, Logger } from '@nestjs/common';
import { brokerFailure, connectBroker, RareWarnings } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';

/** The process's one connection to the broker. */
export const BROKER = Symbol('Broker');

export const brokerProvider: FactoryProvider<AmqpConnectionManager> = {
  provide: BROKER,
  inject: [SETTINGS],
  useFactory: (settings: ClientSettings) => {
    const broker = connectBroker({
      urls: settings.rabbitmqUrls,
      connectionName: `dms-client ${process.pid}`,
      caFile: settings.caFile,
      certificateFile: settings.certificateFile,
      keyFile: settings.keyFile,
    });
    const warnings = new RareWarnings(new Logger('Broker'));
    broker.on('connectFailed', (failure) =>
      warnings.warn(`The broker cannot be reached: ${brokerFailure(failure)}`),
    );
    return broker;
  },
};
