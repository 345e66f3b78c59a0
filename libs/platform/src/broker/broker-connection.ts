import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { type Secret } from '@app/contracts';
import { type AmqpConnectionManager, connect } from 'amqp-connection-manager';

export interface BrokerOptions {
  /** Brokers of one cluster; each reconnect takes the next. */
  readonly urls: readonly Secret[];
  /** Shown in the broker's list of connections. */
  readonly connectionName: string;
  /** Files for amqps: trusted authorities, and the client's own certificate and key. */
  readonly caFile?: string | null;
  readonly certificateFile?: string | null;
  readonly keyFile?: string | null;
}

/** A node without power keeps its consumer for two of these. */
const HEARTBEAT_SECONDS = 5;
const RECONNECT_SECONDS = 1;

/**
 * A connection that comes back by itself. It does not wait for the broker: see `isConnected()` and the events
 * `connect` and `disconnect`.
 *
 * Channels are to be opened in the `setup` of `createChannel`, and messages sent on the raw channel there: the
 * manager's own publish sends unconfirmed messages again after a reconnect, and a command must never be sent twice.
 */
export function connectBroker(options: BrokerOptions): AmqpConnectionManager {
  return connect(
    options.urls.map((url) => url.reveal()),
    {
      heartbeatIntervalInSeconds: HEARTBEAT_SECONDS,
      reconnectTimeInSeconds: RECONNECT_SECONDS,
      connectionOptions: {
        // Nagle's algorithm costs 40 ms a request.
        noDelay: true,
        timeout: 5_000,
        clientProperties: { connection_name: options.connectionName },
        ...tls(options),
      },
    },
  );
}

function tls(options: BrokerOptions): Record<string, unknown> {
  const read = (path: string | null | undefined): Buffer | undefined =>
    path === null || path === undefined ? undefined : readFileSync(path);
  const ca = read(options.caFile);
  return {
    // Said in so many words: NODE_TLS_REJECT_UNAUTHORIZED in the environment must not decide it.
    rejectUnauthorized: true,
    // What is named here replaces the authorities that Node.js trusts by itself.
    ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }),
    cert: read(options.certificateFile),
    key: read(options.keyFile),
  };
}
