import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scriptPath } from '../../processes/scripts';

const REQUIRED = { vault_s3_bucket: 'bucket', vault_data_directory: '/base/a b' };

describe('s3fs-launcher.sh', () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'launcher-'));
    await writeFile(
      join(directory, 's3fs'),
      '#!/bin/sh\nprintf "%s\\n" "$@"\necho "CA=${CURL_CA_BUNDLE:-}"\n',
    );
    await chmod(join(directory, 's3fs'), 0o755);
  });

  afterAll(() => rm(directory, { recursive: true }));

  function launch(environment: Record<string, string>): string[] {
    const env = { PATH: `${directory}:/usr/bin:/bin`, AWS_SECRET_ACCESS_KEY: 'SK', ...environment };
    return execFileSync('/bin/sh', [scriptPath('s3fs-launcher.sh')], { env, encoding: 'utf8' })
      .trim()
      .split('\n');
  }

  it('becomes s3fs in the foreground, with its own patience for a slow answer, without set-user-ID programs and devices, and without a key', () => {
    const words = launch(REQUIRED);
    expect(words.slice(0, 3)).toEqual(['bucket', '/base/a b', '-f']);
    expect(words).toContain('fsname=TrilioVault,subtype=s3fs,nosuid,nodev');
    expect(words.join()).not.toMatch(/readwrite_timeout|retries/);
    expect(words.join()).not.toMatch(/SK|url=|ro$/);
  });

  it('has the kernel keep everybody out but owner and group, which are root where nobody says otherwise', () => {
    const access = { dms_mount_owner: '162', dms_mount_group: '163', dms_mount_umask: '0022' };
    expect(launch({ ...REQUIRED, ...access })).toEqual(
      expect.arrayContaining(['allow_other,default_permissions,uid=162,gid=163', 'umask=0022,mp_umask=0022']),
    );
    expect(launch(REQUIRED)).toEqual(
      expect.arrayContaining(['allow_other,default_permissions,uid=0,gid=0', 'umask=0007,mp_umask=0007']),
    );
  });

  it('passes on endpoint, region, verification and mode', () => {
    const words = launch({
      ...REQUIRED,
      vault_s3_endpoint_url: 'https://s3.example:9000',
      vault_s3_region_name: 'eu-west-1',
      vault_s3_ssl_verify: 'false',
      vault_s3_ssl_cert: '/etc/ca.pem',
      dms_read_only: 'true',
    });
    for (const word of [
      'url=https://s3.example:9000',
      'use_path_request_style',
      'endpoint=eu-west-1',
      'ro',
      'CA=/etc/ca.pem',
    ]) {
      expect(words).toContain(word);
    }
    expect(words).toContain('no_check_certificate,ssl_verify_hostname=0');
    expect(launch({ ...REQUIRED, vault_s3_ssl: 'false' })).toContain('url=http://s3.amazonaws.com');
  });

  it.each([
    ['https://s3.amazonaws.com', {}],
    ['https://s3.eu-west-1.amazonaws.com', { vault_s3_region_name: 'eu-west-1' }],
    ['http://s3.amazonaws.com', { vault_s3_ssl: 'false' }],
  ])('asks AWS for a bucket with dots by its path, at %s', (url, environment) => {
    const words = launch({ ...REQUIRED, vault_s3_bucket: 'backups.example.org', ...environment });
    expect(words).toEqual(expect.arrayContaining([`url=${url}`, 'use_path_request_style']));
  });

  it('has s3fs use a session token and parts of a size, where there are any', () => {
    const words = launch({ ...REQUIRED, AWS_SESSION_TOKEN: 'S3CRET', dms_multipart_size: '50' });
    expect(words).toEqual(expect.arrayContaining(['use_session_token', 'multipart_size=50']));
    expect(words.join()).not.toContain('S3CRET');
    expect(launch(REQUIRED).join()).not.toMatch(/session|multipart/);
  });

  it.each([
    [{ ...REQUIRED, vault_s3_bucket: '-oallow_root' }],
    [{ ...REQUIRED, vault_s3_bucket: '' }],
    [{ ...REQUIRED, vault_data_directory: 'relative' }],
  ])('refuses %o', (environment) => {
    expect(() => launch(environment)).toThrow('Command failed');
  });
});
