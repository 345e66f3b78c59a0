import { asBrokerUrls } from './broker-url';
import { asReadableFile } from './parsers';
import { type SettingValues } from './settings';

/** Settings of the connection to the broker, the same for every program. */
export const BROKER_SETTINGS = {
  rabbitmqUrls: {
    env: 'DMS_RABBITMQ_URL',
    file: 'rabbitmq_url',
    help: 'Message broker: amqp:// or amqps:// URLs of one cluster, comma separated.',
    parse: asBrokerUrls,
    secret: true,
  },
  certificateFile: {
    env: 'DMS_RABBITMQ_CERT_FILE',
    file: 'rabbitmq_cert_file',
    help: 'Client certificate (PEM) for amqps.',
    default: null,
    parse: asReadableFile,
  },
  keyFile: {
    env: 'DMS_RABBITMQ_KEY_FILE',
    file: 'rabbitmq_key_file',
    help: 'Key (PEM) of the client certificate.',
    default: null,
    parse: asReadableFile,
  },
} as const;

/** What does not fit together among {@link BROKER_SETTINGS}. */
export function brokerProblems({
  certificateFile,
  keyFile,
}: Partial<SettingValues<typeof BROKER_SETTINGS>>): string[] {
  if (certificateFile && keyFile === null) {
    return ['DMS_RABBITMQ_KEY_FILE: is required with DMS_RABBITMQ_CERT_FILE'];
  }
  if (keyFile && certificateFile === null) {
    return ['DMS_RABBITMQ_CERT_FILE: is required with DMS_RABBITMQ_KEY_FILE'];
  }
  return [];
}
