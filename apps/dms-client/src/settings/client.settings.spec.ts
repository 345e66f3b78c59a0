import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SettingsError } from '@app/platform';
import { createDataSource } from '../ledger/data-source';
import {
  clientConfigurationFiles,
  loadClientSettings,
  loadDatabaseSettings,
  loadFacadeSettings,
} from './client.settings';
import { databaseAddress, printableServer } from './database-url';

const REQUIRED = { DMS_RABBITMQ_URL: 'amqp://localhost:5672', DMS_CONFIG_FILE: '/none' };

function connectionOf(url: string): object {
  const { databaseUrl } = loadClientSettings({ ...REQUIRED, DMS_DB_URL: url });
  const { options } = createDataSource({ databaseUrl, databasePool: 1, databaseCaFile: null });
  const { host, port, username, password, database } = options as unknown as Record<string, unknown>;
  return { host, port, username, password, database };
}

describe('DMS_DB_URL', () => {
  const serversOf = (url: string): string[] =>
    databaseAddress(loadClientSettings({ ...REQUIRED, DMS_DB_URL: url }).databaseUrl).servers.map(
      printableServer,
    );

  it.each([
    ['mysql://u:p@h1:3307,h2,h3:3308/db', ['h1:3307', 'h2:3306', 'h3:3308']],
    ['mysql+pymysql://u:p@h1, h2/db', ['h1:3306', 'h2:3306']],
    ['mysql://u:p@[::1]:3307,[fe80::2]/db', ['[::1]:3307', '[fe80::2]:3306']],
    ['mysql://u:p@h1/db,mysql+pymysql://u:p@h2:3307/db', ['h1:3306', 'h2:3307']],
    ['mysql://u:p%2Cq@h1,h2/db, mysql://u:p%2Cq@h3/db', ['h1:3306', 'h2:3306', 'h3:3306']],
    ['mysql://u:p,q@h1,h2/db', ['h1:3306', 'h2:3306']],
  ])('%s names several servers', (url, servers) => {
    expect(serversOf(url)).toEqual(servers);
  });

  it.each([
    ['mysql://u:hunter2@h1,/db', /host 2: must be mysql:/],
    ['mysql://u:hunter2@h1,h2:99999/db', /host 2: must be mysql:/],
    ['mysql://u:hunter2@h1/db,mysql://u:hunter2@h2', /URL 2 must name the database/],
    ['mysql://u:hunter2@h1/db,mysql://u:hunter3@h2/db', /URL 2 must have the password of the first one/],
    ['mysql://u:hunter2@h1/db,mysql://v:hunter2@h2/db', /URL 2 must have the username of the first one/],
    ['mysql://u:hunter2@h1/db,mysql://u:hunter2@h2/da', /URL 2 must have the database of the first one/],
    ['mysql://u:hunter2@h1/db,postgres://u:hunter2@h2/db', /URL 2 must be mysql:/],
  ])('%s is refused by the position of what is wrong, and not repeated', (url, text) => {
    expect(() => serversOf(url)).toThrow(text);
    expect(() => serversOf(url)).not.toThrow(/hunter/);
  });

  const LOCAL = { host: 'localhost', port: 3306, username: 'user', password: 'pass', database: 'trilio_dms' };

  it.each([
    ['mysql+pymysql://user:pass@localhost:3306/trilio_dms', LOCAL],
    ['mysql+pymysql://user:pass@localhost/trilio_dms', LOCAL],
    ['mysql+pymysql://user:pass@localhost/trilio_dms?charset=utf8mb4', LOCAL],
    ['mysql://user:pass@localhost/trilio_dms', LOCAL],
    ['mariadb+mysqlconnector://user:pass@localhost/trilio_dms', LOCAL],
    ['mysql://user:p%40%2Fs%23@localhost:3307/trilio_dms', { ...LOCAL, port: 3307, password: 'p@/s#' }],
    ['mysql://user:pass@[::1]:3307/trilio_dms', { ...LOCAL, host: '::1', port: 3307 }],
    ['mysql://user:pass@localhost/trilio%20dms', { ...LOCAL, database: 'trilio dms' }],
  ])('%s is understood', (url, connection) => {
    expect(connectionOf(url)).toEqual(connection);
  });

  it.each([
    ['postgres://user:hunter2@localhost/x', /must be mysql:/],
    ['localhost', /must be mysql:/],
    ['mysql://user:hunter2@localhost', /must name the database/],
    ['mysql://user:hunter2@localhost/', /must name the database/],
    ['mysql://user:hunter2%zz@localhost/x', /special characters/],
    ['mysql+pymysql://user:hunter2@localhost/x?ssl_ca=/ca.pem', /DMS_DB_CA_FILE/],
  ])('%s is refused, and not repeated', (url, text) => {
    const load = (): unknown => loadClientSettings({ ...REQUIRED, DMS_DB_URL: url });
    expect(load).toThrow(text);
    expect(load).not.toThrow(/hunter2/);
  });
});

const COMPLETE = {
  DMS_CONFIG_FILE: '/dev/null',
  DMS_DB_URL: 'mysql://u:p@127.0.0.1/ledger',
  DMS_RABBITMQ_URL: 'amqp://u:p@127.0.0.1',
};

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadFacadeSettings(env);
    return [];
  } catch (error) {
    return (error as SettingsError).problems;
  }
}

describe('the settings of dms-client', () => {
  it('need no broker where the database alone is asked for', () => {
    const env = { DMS_CONFIG_FILE: '/none', DMS_DB_URL: 'mysql://user:pass@localhost/x' };
    expect(loadDatabaseSettings(env).databaseUrl.reveal()).toBe(env.DMS_DB_URL);
    expect(() => loadClientSettings(env)).toThrow(/DMS_RABBITMQ_URL: is required/);
    expect(() => loadDatabaseSettings({ DMS_CONFIG_FILE: '/none' })).toThrow(
      /2 error\(s\):\n {2}- DMS_DB_URL: [^\n]*\n {2}- DMS_CONFIG_FILE: /,
    );
  });

  it('are the documented ones where nothing is said', () => {
    const settings = loadClientSettings({ ...REQUIRED, DMS_DB_URL: 'mysql://localhost/x' });
    expect(settings).toMatchObject({
      requestTimeoutMs: 300_000,
      lockTimeoutMs: 300_000,
      lockDir: '/var/lock/trilio-dms',
      hostLock: false,
      mountBase: '/var/lib/trilio/triliovault-mounts',
      httpHost: '127.0.0.1',
      httpPort: 8090,
      authMode: 'none',
      logLevel: 'info',
    });
  });

  it('stand in client.conf as the Python system has it', () => {
    expect(clientConfigurationFiles({})).toEqual([
      '/etc/trilio-dms/client.conf',
      join(homedir(), '.trilio-dms/client.conf'),
    ]);
    expect(clientConfigurationFiles({ DMS_CONFIG_FILE: '' })).toHaveLength(2);
    const directory = mkdtempSync(join(tmpdir(), 'dms-client-settings-'));
    const file = join(directory, 'client.conf');
    try {
      writeFileSync(
        file,
        [
          '[client]',
          'db_url = mysql+pymysql://dms_user:dms_password@localhost:3306/trilio_dms',
          'rabbitmq_url = amqp://dms_user:dms_password@localhost:5672',
          'timeout = 600',
          'log_level = DEBUG',
        ].join('\n'),
      );
      const settings = loadClientSettings({ DMS_CONFIG_FILE: file, DMS_LOG_LEVEL: 'ERROR' });
      expect(settings).toMatchObject({ requestTimeoutMs: 600_000, logLevel: 'error' });
      expect(settings.databaseUrl.reveal()).toBe('mysql://dms_user:dms_password@localhost:3306/trilio_dms');
      expect(settings.rabbitmqUrls.map((url) => url.reveal())).toEqual([
        'amqp://dms_user:dms_password@localhost:5672',
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('that are bad are all named at once, those that do not fit together among them', () => {
    expect(
      problemsOf({
        ...COMPLETE,
        DMS_HTTP_PORT: 'x',
        DMS_AUTH_MODE: 'keystone',
        DMS_RABBITMQ_CERT_FILE: '/dev/null',
      }),
    ).toEqual([
      'DMS_HTTP_PORT: must be a whole number from 0 to 65535',
      'DMS_RABBITMQ_KEY_FILE: is required with DMS_RABBITMQ_CERT_FILE',
      'DMS_AUTH_URL: is required for DMS_AUTH_MODE=keystone',
    ]);
    expect(problemsOf({ ...COMPLETE, DMS_DB_URL: '', DMS_AUTH_MODE: 'token' })).toEqual([
      'DMS_DB_URL: is required',
      'DMS_TOKEN_FILE: is required for DMS_AUTH_MODE=token',
    ]);
    expect(
      problemsOf({ ...COMPLETE, DMS_HTTP_HOST: '0.0.0.0', DMS_CORS_ORIGINS: 'https://a.example' }),
    ).toEqual([
      expect.stringContaining('DMS_HTTP_HOST: '),
      'DMS_CORS_ORIGINS: needs DMS_AUTH_MODE=keystone or token',
    ]);
  });

  it.each(['*', 'a.example', 'https://a.example/', 'https://a.example/page', 'ftp://a.example', 'null'])(
    'take no %s for an origin',
    (origins) => {
      const mode = { DMS_AUTH_MODE: 'token', DMS_TOKEN_FILE: '/t' };
      expect(problemsOf({ ...COMPLETE, ...mode, DMS_CORS_ORIGINS: origins })).toEqual([
        expect.stringContaining('DMS_CORS_ORIGINS: must be origins'),
      ]);
    },
  );
});
