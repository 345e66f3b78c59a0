import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadNodeDirectories, loadServerSettings } from './server.settings';

describe('the settings of dms-server', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dms-server-settings-'));
  const file = join(directory, 'server.conf');

  afterAll(() => rmSync(directory, { recursive: true }));

  it('are the documented ones where nothing is said', () => {
    const settings = loadServerSettings({ DMS_CONFIG_FILE: file, DMS_RABBITMQ_URL: 'amqp://localhost:5672' });
    expect(settings).toMatchObject({
      nodeId: hostname(),
      mountBases: ['/var/lib/trilio/triliovault-mounts'],
      runDir: '/run/dms',
      pidDir: '/run/dms/s3',
      s3VaultFuseBinary: '/usr/bin/s3vaultfuse.py',
      healthHost: '127.0.0.1',
      healthPort: 8091,
      logLevel: 'info',
    });
  });

  it('stand in server.conf as the Python system has it, and the environment wins', () => {
    writeFileSync(
      file,
      [
        '[server]',
        'rabbitmq_url = amqp://dms_user:dms_password@rabbitmq-host:5672',
        'node_id = compute-01',
        'auth_url = http://keystone:5000/v3',
        'mount_base_path = /var/lib/trilio/triliovault-mounts',
        'log_level = WARNING',
      ].join('\n'),
    );
    const settings = loadServerSettings({ DMS_CONFIG_FILE: file, DMS_MOUNT_BASE: '/a, /b/' });
    expect(settings).toMatchObject({
      nodeId: 'compute-01',
      authUrl: 'http://keystone:5000/v3',
      mountBases: ['/a', '/b'],
      logLevel: 'warn',
    });
  });

  it('are all named where they are wrong', () => {
    const load = (): unknown =>
      loadServerSettings({
        DMS_CONFIG_FILE: file,
        DMS_NODE_ID: '../evil',
        DMS_MOUNT_BASE: 'relative',
        DMS_RABBITMQ_URL: 'http://u:hunter2@x',
        DMS_HEALTH_PORT: '70000',
      });
    expect(load).toThrow(
      /4 error\(s\)[^]*DMS_RABBITMQ_URL[^]*DMS_NODE_ID[^]*DMS_MOUNT_BASE[^]*DMS_HEALTH_PORT/,
    );
    expect(load).not.toThrow(/hunter2/);
  });

  it('are those of the files alone for what looks at these, and no other one is looked at', () => {
    writeFileSync(file, '[server]\nrun_dir = /run/other\n');
    const env = { DMS_CONFIG_FILE: file, DMS_PID_DIR: '/run/other/s3', DMS_HEALTH_PORT: 'high' };
    expect(loadNodeDirectories(env)).toEqual({
      runDir: '/run/other',
      pidDir: '/run/other/s3',
      unmountTimeoutMs: 60_000,
    });
    expect(() => loadNodeDirectories({ ...env, DMS_PID_DIR: 's3' })).toThrow('DMS_PID_DIR: must be');
  });
});
