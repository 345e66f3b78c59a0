import { type DaemonEnvironment } from '../../processes/fuse-supervisor';
import { type ServerSettings } from '../../settings/server.settings';
import { type S3Credentials } from './s3-credentials';

type VaultSettings = Pick<
  ServerSettings,
  | 's3Proxy'
  | 's3NoProxy'
  | 's3MultipartSize'
  | 'mountOwner'
  | 'mountGroup'
  | 'mountMode'
  | 'vaultDataDirectoryOld'
  | 'vaultMaxPoolConnections'
  | 'vaultLogConfig'
  | 'vaultHelperCommand'
>;

/** Passed on where they have no value, too, as the Python system does. */
const ALWAYS: ReadonlySet<string> = new Set(['vault_s3_ssl_cert', 'vault_s3_endpoint_url']);

/** What s3fs-launcher.sh takes where nobody names another one. */
const LAUNCHER_UMASK = 0o007;

/**
 * The environment that s3vaultfuse.py is started with: its options by their own names. Others than {@link ALWAYS} are
 * left out where they have no value.
 */
export function s3Environment(
  credentials: S3Credentials,
  mount: { readonly mountPath: string; readonly readOnly: boolean },
  settings: VaultSettings,
): DaemonEnvironment {
  const variables = {
    LANG: 'C.UTF-8',
    vault_s3_bucket: credentials.bucket,
    vault_s3_region_name: credentials.region ?? '',
    vault_s3_auth_version: credentials.authVersion,
    vault_s3_signature_version: credentials.signatureVersion,
    vault_s3_ssl: String(credentials.ssl),
    vault_s3_ssl_verify: String(credentials.sslVerify),
    vault_s3_ssl_cert: credentials.sslCert ?? '',
    vault_s3_endpoint_url: credentials.endpointUrl ?? '',
    vault_s3_max_pool_connections: String(settings.vaultMaxPoolConnections),
    vault_storage_nfs_export: credentials.exportName,
    bucket_object_lock: String(credentials.bucketObjectLock),
    use_manifest_suffix: String(credentials.useManifestSuffix),
    vault_data_directory_old: settings.vaultDataDirectoryOld,
    vault_data_directory: mount.mountPath,
    log_config_append: settings.vaultLogConfig,
    helper_command: settings.vaultHelperCommand,
    // Not options of s3vaultfuse.py: our own launcher of s3fs takes them, and has root and the umask below by itself.
    dms_mount_owner: String(settings.mountOwner || ''),
    dms_mount_group: String(settings.mountGroup || ''),
    dms_mount_umask: umaskOf(settings.mountMode),
    dms_read_only: mount.readOnly ? 'true' : '',
    dms_multipart_size: String(settings.s3MultipartSize ?? ''),
    ...proxyVariables(settings),
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken ?? '',
  };
  return Object.fromEntries(
    Object.entries(variables).filter(([name, value]) => value !== '' || ALWAYS.has(name)),
  );
}

/** The permissions that `mode` leaves out, in octal digits; empty if the launcher has them by itself. */
function umaskOf(mode: number): string {
  const umask = 0o777 & ~mode;
  return umask === LAUNCHER_UMASK ? '' : umask.toString(8).padStart(4, '0');
}

/** Both spellings: curl reads some in lower case only, and programs in Python others. */
function proxyVariables({ s3Proxy, s3NoProxy }: VaultSettings): Record<string, string> {
  if (s3Proxy === null) return {};
  const variables = { http_proxy: s3Proxy, https_proxy: s3Proxy, no_proxy: s3NoProxy ?? '' };
  const inCapitals = Object.entries(variables).map(([name, value]) => [name.toUpperCase(), value] as const);
  return { ...variables, ...Object.fromEntries(inCapitals) };
}
