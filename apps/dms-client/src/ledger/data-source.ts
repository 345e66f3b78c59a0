import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { SettingsError } from '@app/platform';
import * as mysql from 'mysql2';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { Ledger1795250000000 } from '../../../../migrations/1795250000000-ledger';
import { BindingLeases1795263600000 } from '../../../../migrations/1795263600000-binding-leases';
import { LeaseWaiters1795268400000 } from '../../../../migrations/1795268400000-lease-waiters';
import { MountProjects1795270000000 } from '../../../../migrations/1795270000000-mount-projects';
import { NodeKeys1795270200000 } from '../../../../migrations/1795270200000-node-keys';
import { MountBoots1795271000000 } from '../../../../migrations/1795271000000-mount-boots';
import { RequestIds1795272000000 } from '../../../../migrations/1795272000000-request-ids';
import { LedgerIdentity1795275000000 } from '../../../../migrations/1795275000000-ledger-identity';
import { LedgerWrites1795276000000 } from '../../../../migrations/1795276000000-ledger-writes';
import { LegacyQueue1795277500000 } from '../../../../migrations/1795277500000-legacy-queue';
import { WriterCounters1796037000000 } from '../../../../migrations/1796037000000-writer-counters';
import { NodeProblem1796061000000 } from '../../../../migrations/1796061000000-node-problem';
import { type ClientSettings } from '../settings/client.settings';
import { databaseAddress, type DatabaseServer, printableServer } from '../settings/database-url';
import { ConnectionGuard } from './connection-guard';
import { Binding } from './entities/binding.entity';
import { Node } from './entities/node.entity';
import { Operation } from './entities/operation.entity';
import { TargetMount } from './entities/target-mount.entity';
import { FailoverPool } from './failover-pool';
import { ServerPool } from './server-pool';
import { type ServerRuns } from './server-run';

export const ENTITIES = [Binding, Node, Operation, TargetMount];

const CONNECT_TIMEOUT_MS = 5_000;
/** Longer than the longest wait for a row lock. */
const QUERY_TIMEOUT_MS = 10_000;
const MONITOR_MS = 2_000;

/** The ledger's database, not yet connected. `settings.databaseUrl` holds a password. */
export function createDataSource(
  settings: Pick<ClientSettings, 'databaseUrl' | 'databasePool' | 'databaseCaFile'>,
): DataSource {
  const { servers, ...account } = databaseAddress(settings.databaseUrl);
  return new DataSource({
    type: 'mysql',
    ...servers[0],
    ...account,
    driver: { ...mysql, createPool },
    entities: ENTITIES,
    subscribers: [ConnectionGuard],
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
      LegacyQueue1795277500000,
      WriterCounters1796037000000,
      NodeProblem1796061000000,
    ],
    migrationsTableName: 'dms_migrations',
    charset: 'utf8mb4',
    timezone: 'Z',
    poolSize: settings.databasePool,
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableQueryTimeout: true,
    maxQueryExecutionTime: QUERY_TIMEOUT_MS,
    logging: false,
    extra: {
      servers,
      authorities: authoritiesOf(settings.databaseCaFile),
      monitorMs: MONITOR_MS,
      enableKeepAlive: true,
      keepAliveInitialDelay: 5_000,
      waitForConnections: true,
      queueLimit: 10_000,
    },
  });
}

/** Returns host and port of each server, for error texts. */
export function serversIn(options: DataSourceOptions): string {
  return (options.extra as Extra).servers.map(printableServer).join(', ');
}

/** With a file of authorities: TLS alone, and for the name that was asked for. @throws SettingsError */
function authoritiesOf(file: string | null): Buffer | null {
  if (file === null) return null;
  try {
    return readFileSync(file);
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new SettingsError([`DMS_DB_CA_FILE: ${file} cannot be read (${code})`]);
  }
}

interface Extra {
  readonly servers: readonly DatabaseServer[];
  readonly authorities: Buffer | null;
  readonly monitorMs: number;
}

function createPool(options: mysql.PoolOptions & Extra): FailoverPool {
  const { servers, authorities, monitorMs, ...shared } = options;
  const openers = servers.map(({ host, port }) => {
    // Without the name of an IP address mysql2 would compare a certificate with "localhost".
    const ssl =
      authorities === null
        ? undefined
        : { ca: authorities, rejectUnauthorized: true, verifyIdentity: isIP(host) === 0 };
    return (runs: ServerRuns) => new ServerPool({ host, port }, { ...shared, host, port, ssl }, runs);
  });
  return new FailoverPool(openers, monitorMs);
}
