import { join } from 'node:path';
import { cleanEnvironment } from '../rig';

/** Where a dms-server keeps what, and whom it talks to. */
export interface ServerEnvironment {
  /** DMS_NODE_ID. */
  readonly host: string;
  /** Home of the program; `server.conf` is looked for in it. */
  readonly directory: string;
  readonly base: string;
  readonly runDirectory: string;
  readonly pidDirectory: string;
  readonly healthPort: number;
  readonly brokerUrl: string;
  readonly authUrl?: string;
  /** Further settings. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** The whole environment of a dms-server; nothing of this machine's own settings reaches it. */
export function serverEnvironment(options: ServerEnvironment): Record<string, string> {
  return {
    ...cleanEnvironment({ HOME: options.directory }),
    DMS_CONFIG_FILE: join(options.directory, 'server.conf'),
    DMS_RABBITMQ_URL: options.brokerUrl,
    DMS_NODE_ID: options.host,
    DMS_MOUNT_BASE: options.base,
    DMS_RUN_DIR: options.runDirectory,
    DMS_PID_DIR: options.pidDirectory,
    DMS_HEALTH_PORT: String(options.healthPort),
    DMS_LOG_LEVEL: 'DEBUG',
    DMS_MOUNTPOINT_GRACE: '1',
    ...(options.authUrl === undefined ? {} : { DMS_AUTH_URL: options.authUrl }),
    ...options.settings,
  };
}
