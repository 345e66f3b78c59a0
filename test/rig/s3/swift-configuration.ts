/** An S3 account: a name, and the pair of keys that its requests are signed with. */
export interface S3Account {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** What Swift's configuration depends on. */
export interface SwiftSettings {
  readonly directory: string;
  readonly disks: string;
  readonly user: string;
  readonly region: string;
  readonly accounts: readonly S3Account[];
}

/** The configuration files by name. */
export function swiftConfiguration(settings: SwiftSettings): Record<string, string> {
  return {
    'swift.conf': SWIFT_CONF,
    'account.conf': storageServer('account', settings),
    'container.conf': storageServer('container', settings),
    'object.conf': storageServer('object', settings),
    'proxy.conf': proxyServer(settings),
  };
}

const SWIFT_CONF = `
[swift-hash]
swift_hash_path_prefix = rig
swift_hash_path_suffix = rig

[storage-policy:0]
name = one-copy
default = yes
`;

/** All time-outs are long: on a busy machine a slow answer shall be slow, and not an error and a lost listing. */
function storageServer(name: string, settings: SwiftSettings): string {
  return `
[DEFAULT]
user = ${settings.user}
swift_dir = ${settings.directory}
devices = ${settings.disks}
mount_check = false
fallocate_reserve = 0
disable_fallocate = true
log_level = WARNING
conn_timeout = 20
node_timeout = 60
container_update_timeout = 60

[pipeline:main]
pipeline = ${name}-server

[app:${name}-server]
use = egg:swift#${name}
`;
}

/**
 * Signatures are checked by Swift's S3 layer against the secrets that its tempauth filter holds. Keystone could hold
 * them too (EC2 credentials), but each request would then go through Keystone: slower, and a test that stops Keystone
 * would stop the bucket as well.
 */
function proxyServer(settings: SwiftSettings): string {
  const users = settings.accounts.map((account) => {
    const [tenant, user] = account.accessKey.split(':');
    return `user_${tenant}_${user} = ${account.secretKey} .admin`;
  });
  return `
[DEFAULT]
user = ${settings.user}
swift_dir = ${settings.directory}
log_level = WARNING

[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck process-cache listing_formats bulk s3api tempauth slo dlo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
conn_timeout = 20
node_timeout = 60
# There is one copy only: a server that failed once must be asked again.
error_suppression_limit = 1000000

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:gatekeeper]
use = egg:swift#gatekeeper

[filter:healthcheck]
use = egg:swift#healthcheck

[filter:process-cache]
paste.filter_factory = process_cache:filter_factory

[filter:listing_formats]
use = egg:swift#listing_formats

[filter:bulk]
use = egg:swift#bulk

[filter:s3api]
use = egg:swift#s3api
location = ${settings.region}
check_bucket_owner = true
dns_compliant_bucket_names = true

[filter:tempauth]
use = egg:swift#tempauth
${users.join('\n')}

[filter:slo]
use = egg:swift#slo

[filter:dlo]
use = egg:swift#dlo
`;
}
