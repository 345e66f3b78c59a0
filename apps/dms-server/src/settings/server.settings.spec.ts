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

  it('name who reaches the mounts by name or number, and are root alone where nothing is said', () => {
    const load = (env: Record<string, string>): unknown =>
      loadServerSettings({ DMS_CONFIG_FILE: file, DMS_RABBITMQ_URL: 'amqp://localhost:5672', ...env });
    expect(load({})).toMatchObject({ mountOwner: 0, mountGroup: 0, mountMode: 0o770 });
    expect(
      load({ DMS_MOUNT_OWNER: 'nobody', DMS_MOUNT_GROUP: 'daemon', DMS_MOUNT_MODE: '750' }),
    ).toMatchObject({ mountOwner: 65_534, mountGroup: 1, mountMode: 0o750 });
    expect(load({ DMS_MOUNT_OWNER: '0', DMS_MOUNT_GROUP: '4294967294' })).toMatchObject({
      mountGroup: 4_294_967_294,
    });
  });

  it.each([
    [
      'DMS_MOUNT_OWNER',
      'no-such-user',
      'is no user of this machine: make it with useradd(8), or set the number',
    ],
    ['DMS_MOUNT_GROUP', 'no-such-group', 'is no group of this machine: make it with groupadd(8), or set the'],
    ['DMS_MOUNT_GROUP', '4294967295', 'must be a group name, or a number from 0 to 4294967294'],
    ['DMS_MOUNT_GROUP', '--help', 'must be a group name, or a number from 0 to 4294967294'],
    ['DMS_MOUNT_MODE', '0777', 'must be an octal mode of 7 for the owner, 5 or 7 for the group'],
    ['DMS_MOUNT_MODE', '0700', 'must be an octal mode of 7 for the owner, 5 or 7 for the group'],
    ['DMS_MOUNT_MODE', '0640', 'must be an octal mode of 7 for the owner, 5 or 7 for the group'],
    ['DMS_MOUNT_MODE', 'rwxrwx---', 'must be an octal mode of 7 for the owner, 5 or 7 for the group'],
  ])('say of a wrong %s (%s) what to do', (name, value, words) => {
    const env = { DMS_CONFIG_FILE: file, DMS_RABBITMQ_URL: 'amqp://localhost:5672', [name]: value };
    expect(() => loadServerSettings(env)).toThrow(`${name}: ${words}`);
  });

  it('refuse an owner whom no group lets in', () => {
    const env = { DMS_CONFIG_FILE: file, DMS_RABBITMQ_URL: 'amqp://localhost:5672', DMS_MOUNT_OWNER: '162' };
    expect(() => loadServerSettings(env)).toThrow(
      'DMS_MOUNT_GROUP: is required where DMS_MOUNT_OWNER is not root',
    );
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
