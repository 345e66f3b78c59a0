import { type Provider } from '@nestjs/common';
import { connectBroker } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';

/** Opens the one connection to the broker, when the server is ready to say hello and to take commands. */
export type BrokerFactory = () => AmqpConnectionManager;

export const BROKER_FACTORY = Symbol('BrokerFactory');

export const brokerProvider: Provider<BrokerFactory> = {
  provide: BROKER_FACTORY,
  useFactory: (settings: ServerSettings) => (): AmqpConnectionManager =>
    connectBroker({
      urls: settings.rabbitmqUrls,
      connectionName: `dms-server ${settings.nodeId}`,
      caFile: settings.caFile,
      certificateFile: settings.certificateFile,
      keyFile: settings.keyFile,
    }),
  inject: [SETTINGS],
};
