import { asBrokerUrls } from './broker-url';
import { asText } from './parsers';

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
    parse: asText,
  },
  keyFile: {
    env: 'DMS_RABBITMQ_KEY_FILE',
    file: 'rabbitmq_key_file',
    help: 'Key (PEM) of the client certificate.',
    default: null,
    parse: asText,
  },
} as const;
