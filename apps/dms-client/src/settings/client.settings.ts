import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  asBoolean,
  asDirectory,
  asInteger,
  asLogLevel,
  LOG_LEVEL_HELP,
  asOneOf,
  asPort,
  asSeconds,
  asText,
  BROKER_SETTINGS,
  brokerProblems,
  type ConfigurationFiles,
  readSettings,
  type SettingSources,
  type SettingValues,
  TLS_SETTINGS,
  TELEMETRY_SETTINGS,
} from '@app/platform';
import { ACCESS_SETTINGS, accessProblems } from '../access/access.settings';
import { asDatabaseUrl } from './database-url';

/** Every setting of dms-client and of the `dms` command; docs/CONFIGURATION.md is made from this table. */
export const CLIENT_SETTINGS = {
  databaseUrl: {
    env: 'DMS_DB_URL',
    file: 'db_url',
    help: "Ledger: mysql://user:password@host:3306/name; SQLAlchemy's mysql+pymysql:// works too. A cluster has several hosts, comma separated: mysql://user:password@host1:3306,host2:3306/name. dms-client uses the first that accepts writes, and the next one when it fails.",
    parse: asDatabaseUrl,
    secret: true,
  },
  databaseCaFile: {
    env: 'DMS_DB_CA_FILE',
    file: 'db_ca_file',
    help: 'Authorities (PEM) of the database: it is reached by TLS alone then, and its certificate must be of one of them and for the name in DMS_DB_URL to which dms-client connects (of an IP address only the authority is checked). DMS_CA_FILE does not concern the database.',
    default: null,
    parse: asText,
  },
  ...BROKER_SETTINGS,
  ...TLS_SETTINGS,
  plainTokens: {
    env: 'DMS_PLAIN_TOKENS',
    file: 'plain_tokens',
    help: 'Who gets a Keystone token in clear: legacy (nodes that have never published a key) or never.',
    default: 'legacy',
    parse: asOneOf('legacy', 'never'),
  },
  signingKeyFile: {
    env: 'DMS_SIGNING_KEY_FILE',
    file: 'signing_key_file',
    help: 'Ed25519 private key (PEM or JWK, mode 0600) with which commands are signed.',
    default: null,
    parse: asText,
  },
  requireSigned: {
    env: 'DMS_REQUIRE_SIGNED',
    file: 'require_signed',
    help: 'Command only nodes that sign their replies: a node that says no hello (a Python server), or whose dms-server is too old for it, is FORBIDDEN then. Replies of a node that has once said that it signs them are always verified.',
    default: 'false',
    parse: asBoolean,
  },
  databasePool: {
    env: 'DMS_DB_POOL',
    file: 'db_pool',
    help: 'Connections to the database at most.',
    default: '20',
    parse: asInteger(1, 1000),
  },
  migrateAtStart: {
    env: 'DMS_DB_MIGRATE',
    file: 'db_migrate',
    help: 'Bring the schema up to date when dms-client starts; needs the right to alter tables.',
    default: 'true',
    parse: asBoolean,
  },
  requestTimeoutMs: {
    env: 'DMS_REQUEST_TIMEOUT',
    file: 'timeout',
    help: 'Seconds that a request waits for the node; after that its outcome is unknown (TIMEOUT).',
    default: '300',
    parse: asSeconds(0.1, 86_400),
  },
  lockTimeoutMs: {
    env: 'DMS_LOCK_TIMEOUT',
    file: 'lock_timeout',
    help: 'Seconds that a request waits while another process works on its target (LOCK_TIMEOUT).',
    default: '300',
    parse: asSeconds(0.1, 86_400),
  },
  hostLock: {
    env: 'DMS_HOST_LOCK',
    file: 'host_lock',
    help: 'Hold the lock file of the Python system, too: for hosts where its clients still run. It is one for all targets.',
    default: 'false',
    parse: asBoolean,
  },
  lockDir: {
    env: 'DMS_LOCK_DIR',
    file: 'lock_dir',
    help: 'Directory of that lock file, dms_mount_unmount.lock.',
    default: '/var/lock/trilio-dms',
    parse: asDirectory,
  },
  leaseMs: {
    env: 'DMS_LEASE',
    file: 'lease',
    help: 'Seconds after which another process may take over the target of one that stopped renewing.',
    default: '10',
    parse: asSeconds(1, 600),
  },
  claimTtlMs: {
    env: 'DMS_CLAIM_TTL',
    file: 'claim_ttl',
    help: 'Seconds that a claim is kept whose answer the job never got.',
    default: '600',
    parse: asSeconds(1, 86_400),
  },
  leaseGraceMs: {
    env: 'DMS_LEASE_GRACE',
    file: 'lease_grace',
    help: "Seconds after the end of a binding's lease (`lease_s`) in which it may still be renewed; then it is released.",
    default: '60',
    parse: asSeconds(1, 86_400),
  },
  settleIntervalMs: {
    env: 'DMS_SETTLE_INTERVAL',
    file: 'settle_interval',
    help: 'Seconds between two looks for targets whose state is to be settled; 0 switches it off.',
    default: '5',
    parse: asSeconds(0, 3600),
  },
  reconcileIntervalMs: {
    env: 'DMS_RECONCILE_INTERVAL',
    file: 'reconcile_interval',
    help: 'Seconds between two comparisons of the ledger with what the nodes see; 0 switches the timer off.',
    default: '30',
    parse: asSeconds(0, 86_400),
  },
  mountBase: {
    env: 'DMS_MOUNT_BASE',
    file: 'mount_base_path',
    help: 'Base of the mountpoints on nodes that do not say theirs (Python servers).',
    default: '/var/lib/trilio/triliovault-mounts',
    parse: asFirstDirectory,
  },
  httpHost: {
    env: 'DMS_HTTP_HOST',
    file: 'http_host',
    help: 'Address of the HTTP facade.',
    default: '127.0.0.1',
    parse: asText,
  },
  httpPort: {
    env: 'DMS_HTTP_PORT',
    file: 'http_port',
    help: 'Port of the HTTP facade; 0 takes any free one.',
    default: '8090',
    parse: asPort,
  },
  httpKeepAliveMs: {
    env: 'DMS_HTTP_KEEP_ALIVE',
    file: 'http_keep_alive',
    help: 'Seconds that an idle HTTP connection stays open. Set it higher than the idle time-out of the proxy before dms-client: a proxy answers 502 if it uses a connection that dms-client is closing.',
    default: '75',
    parse: asSeconds(1, 3600),
  },
  stopGraceMs: {
    env: 'DMS_STOP_GRACE',
    file: 'stop_grace',
    help: 'Seconds that dms-client waits at SIGTERM for the requests that it has begun. New requests get 503 meanwhile. Whoever stops it must wait longer (TimeoutStopSec, terminationGracePeriodSeconds).',
    default: '25',
    parse: asSeconds(1, 3600),
  },
  ...ACCESS_SETTINGS,
  ...TELEMETRY_SETTINGS,
  logLevel: {
    env: 'DMS_LOG_LEVEL',
    file: 'log_level',
    help: LOG_LEVEL_HELP,
    default: 'INFO',
    parse: asLogLevel,
  },
} as const;

export type ClientSettings = SettingValues<typeof CLIENT_SETTINGS>;

/** Injection token of the typed settings. */
export const SETTINGS = Symbol('ClientSettings');

/** Where the configuration of clients may stand; a later file wins. */
export function clientConfigurationFiles(env: NodeJS.ProcessEnv): string[] {
  if (env.DMS_CONFIG_FILE) return [env.DMS_CONFIG_FILE];
  return ['/etc/trilio-dms/client.conf', join(homedir(), '.trilio-dms', 'client.conf')];
}

/** @throws SettingsError that names every bad setting at once */
export function loadClientSettings(env: NodeJS.ProcessEnv = process.env): ClientSettings {
  return readSettings(CLIENT_SETTINGS, sourcesOf(env), brokerProblems);
}

/** Files and section of clients. */
export function clientFiles(env: NodeJS.ProcessEnv): ConfigurationFiles {
  return { files: clientConfigurationFiles(env), section: 'client' };
}

function sourcesOf(env: NodeJS.ProcessEnv): SettingSources {
  return { env, ...clientFiles(env) };
}

/**
 * The settings of the program that serves the HTTP facade.
 *
 * @throws SettingsError that names every bad setting at once, those that do not fit together among them
 */
export function loadFacadeSettings(env: NodeJS.ProcessEnv = process.env): ClientSettings {
  return readSettings(CLIENT_SETTINGS, sourcesOf(env), (values) => [
    ...brokerProblems(values),
    ...accessProblems(values),
  ]);
}

/** For what needs the database alone. @throws SettingsError */
export function loadDatabaseSettings(env: NodeJS.ProcessEnv = process.env): ClientSettings {
  const rabbitmqUrls = { ...CLIENT_SETTINGS.rabbitmqUrls, default: 'amqp://not-asked' };
  const definitions = { ...CLIENT_SETTINGS, rabbitmqUrls };
  return readSettings(definitions, sourcesOf(env));
}

function asFirstDirectory(text: string): string {
  return asDirectory(text.split(',')[0].trim());
}
