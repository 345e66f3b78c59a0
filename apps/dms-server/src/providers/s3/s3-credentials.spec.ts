import { inspect } from 'node:util';
import { Secret } from '@app/contracts';
import { loadServerSettings } from '../../settings/server.settings';
import { parseS3Credentials, requireCertificateBelow, type S3Credentials } from './s3-credentials';
import { s3Environment } from './s3-environment';

const parse = (payload: unknown): S3Credentials =>
  parseS3Credentials(new Secret(typeof payload === 'string' ? payload : JSON.stringify(payload)));

const PLAIN = { aws_access_key_id: 'AK', aws_secret_access_key: 'SK', bucket: 'trilio-qa' };

describe('parseS3Credentials', () => {
  // Every spelling of every key on its own, beside the plainest spelling of the others.
  const SPELLINGS = {
    accessKeyId: [
      'aws_access_key_id',
      'access_key_id',
      'vault_s3_access_key_id',
      'vault_s3_aws_access_key_id',
    ],
    secretAccessKey: [
      'aws_secret_access_key',
      'secret_access_key',
      'vault_s3_secret_access_key',
      'vault_s3_aws_secret_access_key',
    ],
    sessionToken: ['aws_session_token', 'session_token', 'vault_s3_session_token'],
    bucket: ['bucket', 'vault_s3_bucket'],
    region: ['region', 'region_name', 'vault_s3_region', 'vault_s3_region_name'],
    endpointUrl: ['endpoint_url', 'vault_s3_endpoint_url'],
    ssl: ['ssl', 'vault_s3_ssl'],
    sslVerify: ['ssl_verify', 'vault_s3_ssl_verify'],
    sslCert: ['ssl_cert', 'vault_s3_ssl_cert'],
    authVersion: ['auth_version', 'vault_s3_auth_version'],
    signatureVersion: ['signature_version', 'vault_s3_signature_version'],
    exportName: ['vault_storage_nfs_export', 'vault_storage_s3_export', 'storage_s3_export'],
    bucketObjectLock: ['bucket_object_lock'],
    useManifestSuffix: ['use_manifest_suffix'],
  } as const satisfies Record<keyof S3Credentials, readonly string[]>;
  const VALUES: Record<keyof S3Credentials, readonly [stored: unknown, read: unknown]> = {
    accessKeyId: ['AK-2', 'AK-2'],
    secretAccessKey: ['SK-2', 'SK-2'],
    sessionToken: ['ST-2', 'ST-2'],
    bucket: ['other', 'other'],
    region: ['us-west-2', 'us-west-2'],
    endpointUrl: ['https://s3.example/', 'https://s3.example'],
    ssl: ['False', false],
    sslVerify: [false, false],
    sslCert: ['/etc/ca.pem', '/etc/ca.pem'],
    authVersion: ['v4', 'v4'],
    signatureVersion: ['s3v4', 's3v4'],
    exportName: ['s3.example/other', 's3.example/other'],
    bucketObjectLock: ['True', true],
    useManifestSuffix: ['true', true],
  };
  const ROWS = Object.entries(SPELLINGS).flatMap(([field, keys]) =>
    keys.flatMap((key) =>
      [key, key.toUpperCase()].map((spelled) => [spelled, field as keyof S3Credentials] as const),
    ),
  );

  it.each(ROWS)('reads "%s" as %s', (key, field) => {
    const [stored, read] = VALUES[field];
    const others = Object.fromEntries(
      Object.entries(PLAIN).filter(([name]) => !SPELLINGS[field].some((spelling) => spelling === name)),
    );
    const found = parse({ ...others, [key]: stored })[field];
    expect(found instanceof Secret ? found.reveal() : found).toBe(read);
  });

  it('completes what is not said, and shows no key', () => {
    const credentials = parse({
      ...PLAIN,
      region: null,
      endpoint_url: 's3.example:9000',
      vault_s3_ssl: 'false',
    });
    expect(credentials).toMatchObject({
      region: null,
      endpointUrl: 'http://s3.example:9000',
      sslVerify: true,
      sslCert: null,
      authVersion: 'DEFAULT',
      signatureVersion: 'default',
      exportName: 'trilio-qa',
      bucketObjectLock: false,
      useManifestSuffix: false,
    });
    expect(inspect(credentials) + JSON.stringify(credentials)).not.toContain('SK');
  });

  it.each([
    ['HTTP://S3.Example', 'http://s3.example'],
    ['https://s3.example.:443/', 'https://s3.example'],
    ['Http://s3.example:80/Path/', 'http://s3.example/Path'],
    ['https://[FE80::1]:9000', 'https://[fe80::1]:9000'],
    ['S3.EXAMPLE:9000', 'https://s3.example:9000'],
  ])('writes the endpoint %s as %s', (given, read) => {
    expect(parse({ ...PLAIN, endpoint_url: given }).endpointUrl).toBe(read);
  });

  it.each([
    [{}, '"aws_access_key_id", "aws_secret_access_key", "bucket" are missing'],
    [{ ...PLAIN, bucket: undefined }, '"bucket" is missing'],
    [{ VAULT_S3_BUCKET: 'b', VAULT_S3_ACCESS_KEY_ID: 'AK' }, '"aws_secret_access_key" is missing'],
    // What belongs together stands on one level; a level more is a secret of something else.
    [{ s3: PLAIN }, '"aws_access_key_id", "aws_secret_access_key", "bucket" are missing'],
  ])('names all that is missing in %j', (payload, words) => {
    expect(() => parse(payload)).toThrow(`The secret cannot be used for an S3 target: ${words}.`);
  });

  it('takes one key twice where both say the same, and else names both', () => {
    expect(parse({ ...PLAIN, VAULT_S3_BUCKET: 'trilio-qa' }).bucket).toBe('trilio-qa');
    expect(() => parse({ ...PLAIN, VAULT_S3_BUCKET: 'other' })).toThrow(
      '"bucket" and "VAULT_S3_BUCKET" do not say the same',
    );
  });

  it.each([
    ['nothing but JSON objects', '[1]', 'is not a JSON object'],
    ['no JSON', 'AK:SK', 'is not a JSON object'],
    ['a missing key', { ...PLAIN, aws_secret_access_key: undefined }, '"aws_secret_access_key" is missing'],
    ['an empty bucket', { ...PLAIN, bucket: '' }, '"bucket" is missing'],
    ['a bucket that is an option', { ...PLAIN, bucket: '-oallow_root' }, '"bucket"'],
    [
      'a key with a line break',
      { ...PLAIN, aws_secret_access_key: 'S3CRET\nLD_PRELOAD=x' },
      '"aws_secret_access_key" holds a line break',
    ],
    ['a key with a NUL', { ...PLAIN, aws_access_key_id: 'S3CRET\0' }, '"aws_access_key_id" holds'],
    ['a key that is a number', { ...PLAIN, aws_access_key_id: 5 }, '"aws_access_key_id" is not a string'],
    ['further options in the endpoint', { ...PLAIN, endpoint_url: 'http://a,uid=0' }, '"endpoint_url"'],
    [
      'an escaped comma in the endpoint',
      { ...PLAIN, endpoint_url: String.raw`http://a\054uid=0` },
      '"endpoint_url"',
    ],
    ['an empty query in the endpoint', { ...PLAIN, endpoint_url: 'http://a/?' }, '"endpoint_url"'],
    ['a user in the endpoint', { ...PLAIN, endpoint_url: 'http://S3CRET@a' }, '"endpoint_url"'],
    ['a shell in the endpoint', { ...PLAIN, endpoint_url: 'http://a/$(id)' }, '"endpoint_url"'],
    ['a control character in the endpoint', { ...PLAIN, endpoint_url: 'http://a/\u001bx' }, '"endpoint_url"'],
    ['a line break in the endpoint', { ...PLAIN, endpoint_url: 'http://a/\nLD_PRELOAD=x' }, '"endpoint_url"'],
    ['an escaped comma in the region', { ...PLAIN, region: String.raw`a\054uid=0` }, '"region"'],
    ['a bucket with a path', { ...PLAIN, bucket: 'a:/../b' }, '"bucket"'],
    ['a bucket that climbs', { ...PLAIN, bucket: '../b' }, '"bucket"'],
    ['a bucket with a space', { ...PLAIN, bucket: 'a -o uid=0' }, '"bucket"'],
    ['a bucket with a shell', { ...PLAIN, bucket: '$(id)' }, '"bucket"'],
    [
      'further options in the certificate',
      { ...PLAIN, vault_s3_ssl_cert: '/a,uid=0' },
      '"vault_s3_ssl_cert"',
    ],
    ['a certificate with a line break', { ...PLAIN, vault_s3_ssl_cert: '/a\nx=1' }, '"vault_s3_ssl_cert"'],
    [
      'a version with a line break',
      { ...PLAIN, vault_s3_signature_version: 's3v4\nx' },
      '"vault_s3_signature_version"',
    ],
    [
      'an export with a line break',
      { ...PLAIN, VAULT_STORAGE_S3_EXPORT: 'h/b\nx' },
      '"VAULT_STORAGE_S3_EXPORT"',
    ],
    ['another protocol', { ...PLAIN, endpoint_url: 'file:///etc' }, '"endpoint_url"'],
    ['further options in the region', { ...PLAIN, region: 'a,uid=0' }, '"region"'],
    ['a flag that is none', { ...PLAIN, vault_s3_ssl: 'maybe' }, '"vault_s3_ssl"'],
  ])('refuses %s', (_name, payload, words) => {
    const message = ((): string => {
      try {
        parse(payload);
        return 'nothing';
      } catch (error) {
        return String(error);
      }
    })();
    expect(message).toContain(words);
    expect(message).not.toContain('S3CRET');
  });
});

describe('the file of authorities that a secret names', () => {
  const within = (sslCert: string | null): void =>
    requireCertificateBelow(['/etc/ssl', '/etc/pki'], { sslCert });

  it.each([null, '/etc/ssl/ca.pem', '/etc/pki/tls/certs/ca-bundle.crt'])('may be %s', (sslCert) => {
    expect(() => within(sslCert)).not.toThrow();
  });

  it.each(['/etc/shadow', '/etc/ssl', '/etc/sslx/ca.pem', '/etc/ssl/../shadow', '/etc/ssl//ca.pem', '/'])(
    'may not be %s',
    (sslCert) => {
      expect(() => within(sslCert)).toThrow('DMS_S3_CERT_DIR');
    },
  );
});

describe('s3Environment', () => {
  it('takes no variable from a secret that it does not know', () => {
    const settings = loadServerSettings({ DMS_RABBITMQ_URL: 'amqp://none', DMS_CONFIG_FILE: '/none' });
    const mount = { mountPath: '/base/xxx', readOnly: false };
    const hostile = {
      LD_PRELOAD: '/tmp/x.so', PATH: '/tmp', 'A=B': 'c', 'X\nLD_PRELOAD': 'y', BASH_ENV: 'x', CURL_CA_BUNDLE: 'x',
      vault_data_directory: '/etc', helper_command: 'sh', dms_read_only: 'false', __proto__: 'x',
      metadata: { LD_PRELOAD: 'x' },
    }; // prettier-ignore
    expect(s3Environment(parse({ ...PLAIN, ...hostile }), mount, settings)).toEqual(
      s3Environment(parse(PLAIN), mount, settings),
    );
  });

  it('is the whole environment of s3vaultfuse.py: two variables are there without a value, too', () => {
    const settings = loadServerSettings({ DMS_RABBITMQ_URL: 'amqp://none', DMS_CONFIG_FILE: '/none' });
    const mount = { mountPath: '/base/xxx', readOnly: false };
    expect(s3Environment(parse({ ...PLAIN, region: 'us-west-2' }), mount, settings)).toEqual({
      LANG: 'C.UTF-8',
      vault_s3_bucket: 'trilio-qa',
      vault_s3_region_name: 'us-west-2',
      vault_s3_auth_version: 'DEFAULT',
      vault_s3_signature_version: 'default',
      vault_s3_ssl: 'true',
      vault_s3_ssl_verify: 'true',
      vault_s3_ssl_cert: '',
      vault_s3_endpoint_url: '',
      vault_storage_nfs_export: 'trilio-qa',
      bucket_object_lock: 'false',
      use_manifest_suffix: 'false',
      vault_s3_max_pool_connections: '500',
      vault_data_directory_old: '/var/triliovault',
      vault_data_directory: '/base/xxx',
      log_config_append: '/etc/triliovault-object-store/object_store_logging.conf',
      helper_command: 'sudo /usr/bin/workloadmgr-rootwrap /etc/triliovault-wlm/rootwrap.conf privsep-helper',
      AWS_ACCESS_KEY_ID: new Secret('AK'),
      AWS_SECRET_ACCESS_KEY: new Secret('SK'),
    });
  });

  it('has further variables for what a secret or a setting asks for', () => {
    const settings = loadServerSettings({
      DMS_RABBITMQ_URL: 'amqp://none',
      DMS_CONFIG_FILE: '/none',
      DMS_S3_PROXY: 'http://proxy.example:3128',
      DMS_S3_NO_PROXY: 's3.example,.internal',
      DMS_S3_MULTIPART_SIZE: '50',
      DMS_MOUNT_OWNER: '162',
      DMS_MOUNT_GROUP: '163',
      DMS_MOUNT_MODE: '0750',
    });
    const mount = { mountPath: '/base/xxx', readOnly: true };
    expect(s3Environment(parse({ ...PLAIN, aws_session_token: 'ST' }), mount, settings)).toMatchObject({
      AWS_SESSION_TOKEN: new Secret('ST'),
      http_proxy: 'http://proxy.example:3128',
      https_proxy: 'http://proxy.example:3128',
      HTTPS_PROXY: 'http://proxy.example:3128',
      no_proxy: 's3.example,.internal',
      NO_PROXY: 's3.example,.internal',
      dms_multipart_size: '50',
      dms_mount_owner: '162',
      dms_mount_group: '163',
      dms_mount_umask: '0027',
      dms_read_only: 'true',
    });
  });
});
