import { type FactoryProvider } from '@nestjs/common';
import { connectBroker } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';

/** The process's one connection to the broker. */
export const BROKER = Symbol('Broker');

export const brokerProvider: FactoryProvider<AmqpConnectionManager> = {
  provide: BROKER,
  inject: [SETTINGS],
  useFactory: (settings: ClientSettings) =>
    connectBroker({
      urls: settings.rabbitmqUrls,
      connectionName: `dms-client ${process.pid}`,
      caFile: settings.caFile,
      certificateFile: settings.certificateFile,
      keyFile: settings.keyFile,
    }),
};
