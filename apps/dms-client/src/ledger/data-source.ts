import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type Secret } from '@app/contracts';
import { SettingsError } from '@app/platform';
import * as mysql from 'mysql2';
import { DataSource } from 'typeorm';
import { Ledger1795250000000 } from '../../../../migrations/1795250000000-ledger';
import { BindingLeases1795263600000 } from '../../../../migrations/1795263600000-binding-leases';
import { LeaseWaiters1795268400000 } from '../../../../migrations/1795268400000-lease-waiters';
import { MountProjects1795270000000 } from '../../../../migrations/1795270000000-mount-projects';
import { NodeKeys1795270200000 } from '../../../../migrations/1795270200000-node-keys';
import { MountBoots1795271000000 } from '../../../../migrations/1795271000000-mount-boots';
import { RequestIds1795272000000 } from '../../../../migrations/1795272000000-request-ids';
import { LedgerIdentity1795275000000 } from '../../../../migrations/1795275000000-ledger-identity';
import { LedgerWrites1795276000000 } from '../../../../migrations/1795276000000-ledger-writes';
import { WriterCounters1796037000000 } from '../../../../migrations/1796037000000-writer-counters';
import { type ClientSettings } from '../settings/client.settings';
import { Binding } from './entities/binding.entity';
import { Node } from './entities/node.entity';
import { Operation } from './entities/operation.entity';
import { TargetMount } from './entities/target-mount.entity';

export const ENTITIES = [Binding, Node, Operation, TargetMount];

const CONNECT_TIMEOUT_MS = 5_000;
/** Longer than the longest wait for a row lock. */
const QUERY_TIMEOUT_MS = 10_000;

/** Every session: UTC, READ COMMITTED, bounded lock waits. */
const SESSION = [
  "SET time_zone = '+00:00'",
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  'SET SESSION innodb_lock_wait_timeout = 5',
];
/** A transaction whose client went silent gives its row lock back. MariaDB only; MySQL ends idle sessions instead. */
const IDLE_TRANSACTION = ['SET SESSION idle_transaction_timeout = 10', 'SET SESSION wait_timeout = 600'];

/** The ledger's database, not yet connected. `settings.databaseUrl` holds a password. */
export function createDataSource(
  settings: Pick<ClientSettings, 'databaseUrl' | 'databasePool' | 'databaseCaFile'>,
): DataSource {
  return new DataSource({
    type: 'mysql',
    ...addressOf(settings.databaseUrl),
    driver: { ...mysql, createPool },
    entities: ENTITIES,
    migrations: [
      Ledger1795250000000,
      BindingLeases1795263600000,
      LeaseWaiters1795268400000,
      MountProjects1795270000000,
      NodeKeys1795270200000,
      MountBoots1795271000000,
      RequestIds1795272000000,
      LedgerIdentity1795275000000,
      LedgerWrites1795276000000,
      WriterCounters1796037000000,
    ],
    migrationsTableName: 'dms_migrations',
    charset: 'utf8mb4',
    timezone: 'Z',
    poolSize: settings.databasePool,
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableQueryTimeout: true,
    maxQueryExecutionTime: QUERY_TIMEOUT_MS,
    logging: false,
    ...tlsOf(settings),
    extra: {
      enableKeepAlive: true,
      keepAliveInitialDelay: 5_000,
      waitForConnections: true,
      queueLimit: 10_000,
    },
  });
}

/** TypeORM's own reading of URLs knows no IPv6 addresses, and no coded characters in names of databases. */
function addressOf(url: Secret): {
  host: string;
  port: number;
  username: string;
  password: string;
  database: string;
} {
  const { hostname, port, username, password, pathname } = new URL(url.reveal());
  return {
    host: decodeURIComponent(hostname).replace(/^\[|\]$/g, ''),
    port: Number(port || 3306),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
  };
}

/**
 * With a file of authorities: TLS alone, and for the name that was asked for. mysql2 cannot compare a certificate with an
 * IP address: it would compare it with "localhost".
 *
 * @throws SettingsError
 */
function tlsOf({
  databaseCaFile,
  databaseUrl,
}: Pick<ClientSettings, 'databaseCaFile' | 'databaseUrl'>): object {
  if (databaseCaFile === null) return {};
  const host = new URL(databaseUrl.reveal()).hostname.replace(/^\[|\]$/g, '');
  try {
    return {
      ssl: { ca: readFileSync(databaseCaFile), rejectUnauthorized: true, verifyIdentity: isIP(host) === 0 },
    };
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new SettingsError([`DMS_DB_CA_FILE: ${databaseCaFile} cannot be read (${code})`]);
  }
}

/** TypeORM has no hook for new connections, so the session's settings are made where the pool is made. */
function createPool(options: mysql.PoolOptions): mysql.Pool {
  const pool = mysql.createPool(options);
  pool.on('connection', (connection) => {
    for (const statement of SESSION) connection.query(statement);
    // An error is an unknown variable: the server is MySQL.
    for (const statement of IDLE_TRANSACTION) connection.query(statement, () => undefined);
  });
  return pool;
}
