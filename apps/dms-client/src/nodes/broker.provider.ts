import { type FactoryProvider, Logger } from '@nestjs/common';
import { BrokerAlarm, brokerFailure, connectBroker, RareWarnings } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';

/** The process's one connection to the broker. */
export const BROKER = Symbol('Broker');

export const brokerProvider: FactoryProvider<AmqpConnectionManager> = {
  provide: BROKER,
  inject: [SETTINGS, BrokerAlarm],
  useFactory: (settings: ClientSettings, alarm: BrokerAlarm) => {
    const broker = connectBroker({
      urls: settings.rabbitmqUrls,
      connectionName: `dms-client ${process.pid}`,
      caFile: settings.caFile,
      certificateFile: settings.certificateFile,
      keyFile: settings.keyFile,
    });
    alarm.watch(broker);
    const warnings = new RareWarnings(new Logger('Broker'));
    broker.on('connectFailed', (failure) =>
      warnings.warn(`The broker cannot be reached: ${brokerFailure(failure)}`),
    );
    return broker;
  },
};

/** Whether the broker blocks this process as a publisher. */
export const brokerAlarmProvider: FactoryProvider<BrokerAlarm> = {
  provide: BrokerAlarm,
  useFactory: () => new BrokerAlarm(new Logger('Broker')),
};
