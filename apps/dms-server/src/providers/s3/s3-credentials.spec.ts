import { inspect } from 'node:util';
import { Secret } from '@app/contracts';
import { loadServerSettings } from '../../settings/server.settings';
import { parseS3Credentials, type S3Credentials } from './s3-credentials';
import { s3Environment } from './s3-environment';

const parse = (payload: unknown): S3Credentials =>
  parseS3Credentials(new Secret(typeof payload === 'string' ? payload : JSON.stringify(payload)));

const PLAIN = { aws_access_key_id: 'AK', aws_secret_access_key: 'SK', bucket: 'trilio-qa' };

describe('parseS3Credentials', () => {
  it.each([
    [{ ...PLAIN, region: 'us-west-2', endpoint_url: 'https://s3.example' }],
    [
      {
        access_key_id: 'AK',
        secret_access_key: 'SK',
        bucket: 'trilio-qa',
        region_name: 'us-west-2',
        endpoint_url: 's3.example',
      },
    ],
    [
      {
        vault_s3_access_key_id: 'AK',
        vault_s3_secret_access_key: 'SK',
        vault_s3_bucket: 'trilio-qa',
        vault_s3_region_name: 'us-west-2',
        vault_s3_endpoint_url: 'https://s3.example/',
      },
    ],
    [
      {
        VAULT_S3_ACCESS_KEY_ID: 'AK',
        VAULT_S3_SECRET_ACCESS_KEY: 'SK',
        VAULT_S3_BUCKET: 'trilio-qa',
        VAULT_S3_REGION_NAME: 'us-west-2',
        VAULT_S3_ENDPOINT_URL: 'https://s3.example',
        VAULT_S3_SSL: 'True',
        VAULT_S3_SSL_VERIFY: 'True',
      },
    ],
  ])('knows the spellings of %o', (payload) => {
    const credentials = parse(payload);
    expect(credentials).toMatchObject({
      bucket: 'trilio-qa',
      region: 'us-west-2',
      endpointUrl: 'https://s3.example',
      ssl: true,
      sslVerify: true,
      exportName: 'trilio-qa',
    });
    expect([credentials.accessKeyId.reveal(), credentials.secretAccessKey.reveal()]).toEqual(['AK', 'SK']);
    expect(inspect(credentials) + JSON.stringify(credentials)).not.toContain('SK');
  });

  it.each([
    ['nothing but JSON objects', '[1]', 'is not a JSON object'],
    ['no JSON', 'AK:SK', 'is not a JSON object'],
    ['a missing key', { ...PLAIN, aws_secret_access_key: undefined }, '"secret_access_key" is missing'],
    ['an empty bucket', { ...PLAIN, bucket: '' }, '"bucket" is missing'],
    ['a bucket that is an option', { ...PLAIN, bucket: '-oallow_root' }, '"bucket"'],
    [
      'a key with a line break',
      { ...PLAIN, aws_secret_access_key: 'S3CRET\nLD_PRELOAD=x' },
      '"secret_access_key"',
    ],
    ['a key with a NUL', { ...PLAIN, aws_access_key_id: 'S3CRET\0' }, '"access_key_id"'],
    ['a key that is a number', { ...PLAIN, aws_access_key_id: 5 }, '"access_key_id" is not a string'],
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
    ['further options in the certificate', { ...PLAIN, vault_s3_ssl_cert: '/a,uid=0' }, '"ssl_cert"'],
    ['a certificate with a line break', { ...PLAIN, vault_s3_ssl_cert: '/a\nx=1' }, '"ssl_cert"'],
    [
      'a version with a line break',
      { ...PLAIN, vault_s3_signature_version: 's3v4\nx' },
      '"signature_version"',
    ],
    ['an export with a line break', { ...PLAIN, VAULT_STORAGE_S3_EXPORT: 'h/b\nx' }, '"storage_s3_export"'],
    ['another protocol', { ...PLAIN, endpoint_url: 'file:///etc' }, '"endpoint_url"'],
    ['further options in the region', { ...PLAIN, region: 'a,uid=0' }, '"region"'],
    ['a flag that is none', { ...PLAIN, vault_s3_ssl: 'maybe' }, '"ssl"'],
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

describe('s3Environment', () => {
  it('takes no variable from a secret that it does not know', () => {
    const settings = loadServerSettings({ DMS_RABBITMQ_URL: 'amqp://none', DMS_CONFIG_FILE: '/none' });
    const mount = { mountPath: '/base/xxx', readOnly: false };
    const hostile = {
      LD_PRELOAD: '/tmp/x.so', PATH: '/tmp', 'A=B': 'c', 'X\nLD_PRELOAD': 'y', BASH_ENV: 'x', CURL_CA_BUNDLE: 'x',
      vault_data_directory: '/etc', helper_command: 'sh', dms_read_only: 'false', AWS_SESSION_TOKEN: 'x', __proto__: 'x',
      metadata: { LD_PRELOAD: 'x' },
    }; // prettier-ignore
    expect(s3Environment(parse({ ...PLAIN, ...hostile }), mount, settings)).toEqual(
      s3Environment(parse(PLAIN), mount, settings),
    );
  });

  it('is the whole environment of s3vaultfuse.py, without what is empty', () => {
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
});
