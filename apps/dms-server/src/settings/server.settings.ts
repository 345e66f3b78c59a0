import { hostname } from 'node:os';
import { hostProblem } from '@app/contracts';
import {
  asBoolean,
  asDirectories,
  asDirectory,
  asHttpUrl,
  asInteger,
  asLogLevel,
  LOG_LEVEL_HELP,
  asOneOf,
  asPort,
  asSeconds,
  asSomeOf,
  asText,
  BROKER_SETTINGS,
  brokerProblems,
  type ConfigurationFiles,
  readSettings,
  type SettingValues,
  TLS_SETTINGS,
  TELEMETRY_SETTINGS,
  unknownSettings,
} from '@app/platform';
import { FUSE_UNITS } from '../processes/supervisor-launcher.adapter';
import { asGroupId, asMountMode, asUserId } from './mount-access';

/** Steps of an unmount that may lose data; each has to be allowed. */
export const HARSH_STEPS = ['lazy', 'force', 'term', 'kill'] as const;
export type HarshStep = (typeof HARSH_STEPS)[number];

/** Every setting of dms-server; docs/CONFIGURATION.md is made from this table. */
export const SERVER_SETTINGS = {
  ...BROKER_SETTINGS,
  ...TLS_SETTINGS,
  nodeId: {
    env: 'DMS_NODE_ID',
    file: 'node_id',
    help: 'Name of this node: the `host` of requests. The queue is called dms.<name>.',
    default: hostname(),
    parse: asHost,
  },
  requireSigned: {
    env: 'DMS_REQUIRE_SIGNED',
    file: 'require_signed',
    help: 'Obey only commands that a key of DMS_TRUSTED_KEYS_FILE has signed. Python clients sign nothing.',
    default: 'false',
    parse: asBoolean,
  },
  trustedKeysFile: {
    env: 'DMS_TRUSTED_KEYS_FILE',
    file: 'trusted_keys_file',
    help: 'Ed25519 public keys of the clients: PEM blocks or a JWK set. Where signatures are not required, a log line tells what would be refused.',
    default: null,
    parse: asText,
  },
  authUrl: {
    env: 'DMS_AUTH_URL',
    file: 'auth_url',
    help: 'Keystone, e.g. http://keystone:5000/v3; needed for s3 targets.',
    default: null,
    parse: asHttpUrl,
  },
  barbicanUrl: {
    env: 'DMS_BARBICAN_URL',
    file: 'barbican_url',
    help: 'Key manager that is asked for every secret. References to the address by which the Keystone catalogue names the key manager are read through it, too. Not set: the endpoint of the catalogue with which the reference begins.',
    default: null,
    parse: asHttpUrl,
  },
  mountBases: {
    env: 'DMS_MOUNT_BASE',
    file: 'mount_base_path',
    help: 'Directories below which this node mounts, comma separated; the first is where targets without a path go.',
    default: '/var/lib/trilio/triliovault-mounts',
    parse: asDirectories,
  },
  mountOwner: {
    env: 'DMS_MOUNT_OWNER',
    file: 'mount_owner',
    help: 'User, by name or number, who owns all files of an S3 mount. Another one than root must be a member of DMS_MOUNT_GROUP. In a container set the number: names are looked up there.',
    default: '0',
    parse: asUserId,
  },
  mountGroup: {
    env: 'DMS_MOUNT_GROUP',
    file: 'mount_group',
    help: 'Group, by name or number, of the bases of DMS_MOUNT_BASE and of all files of an S3 mount. Users outside of it reach no mount. Jobs that do not run as root run as its members.',
    default: '0',
    parse: asGroupId,
  },
  mountMode: {
    env: 'DMS_MOUNT_MODE',
    file: 'mount_mode',
    help: 'Octal mode of all files and directories of an S3 mount: 7 for the owner, 5 or 7 for the group, 0 or 5 for all others. A base has the same one, but only root writes there. With 5 for all others every user of the node reads the mounts of all projects.',
    default: '0770',
    parse: asMountMode,
  },
  runDir: {
    env: 'DMS_RUN_DIR',
    file: 'run_dir',
    help: 'Memory of the node: fences, children, daemon logs. Best on tmpfs.',
    default: '/run/dms',
    parse: asDirectory,
  },
  pidDir: {
    env: 'DMS_PID_DIR',
    file: 'pid_dir',
    help: 'PID files of the FUSE processes, <backup_target_id>.pid.',
    default: '/run/dms/s3',
    parse: asDirectory,
  },
  s3VaultFuseBinary: {
    env: 'DMS_S3VAULTFUSE_BIN',
    file: 's3vaultfuse_bin',
    help: 'FUSE program for S3; where it is not installed, a launcher of s3fs that obeys the same environment.',
    default: '/usr/bin/s3vaultfuse.py',
    parse: asText,
  },
  s3Proxy: {
    env: 'DMS_S3_PROXY',
    file: 's3_proxy',
    help: 'HTTP proxy through which FUSE programs reach their endpoints, e.g. http://proxy:3128. Variables of the environment such as https_proxy are not passed on.',
    default: null,
    parse: asHttpUrl,
  },
  s3NoProxy: {
    env: 'DMS_S3_NO_PROXY',
    file: 's3_no_proxy',
    help: 'Hosts that FUSE programs reach without DMS_S3_PROXY, comma separated; a name stands for what lies below it, too.',
    default: null,
    parse: asText,
  },
  s3CertificateDirs: {
    env: 'DMS_S3_CERT_DIR',
    file: 's3_cert_dir',
    help: 'Directories, comma separated, below which ssl_cert of a secret may name a file: the FUSE program opens it as root.',
    default: '/etc/ssl,/etc/pki,/etc/trilio-dms,/usr/local/share/ca-certificates',
    parse: asDirectories,
  },
  s3MultipartSize: {
    env: 'DMS_S3_MULTIPART_SIZE',
    file: 's3_multipart_size',
    help: 'MiB of each part of an upload by s3fs, which takes 10 where this is not set. An object has 10,000 parts at most, so this times 10,000 is the largest file: 97.6 GiB with 10. s3vaultfuse.py cuts its files itself.',
    default: null,
    parse: asInteger(5, 5120),
  },
  vaultDataDirectoryOld: {
    env: 'DMS_VAULT_DATA_DIRECTORY_OLD',
    file: 'vault_data_directory_old',
    help: 'Passed on to the FUSE program as vault_data_directory_old.',
    default: '/var/triliovault',
    parse: asText,
  },
  vaultMaxPoolConnections: {
    env: 'DMS_VAULT_S3_MAX_POOL_CONNECTIONS',
    file: 'vault_s3_max_pool_connections',
    help: 'Passed on to the FUSE program as vault_s3_max_pool_connections.',
    default: '500',
    parse: asInteger(1, 100_000),
  },
  vaultLogConfig: {
    env: 'DMS_VAULT_LOG_CONFIG',
    file: 'log_config_append',
    help: 'Passed on to the FUSE program as log_config_append.',
    default: '/etc/triliovault-object-store/object_store_logging.conf',
    parse: asText,
  },
  vaultHelperCommand: {
    env: 'DMS_VAULT_HELPER_COMMAND',
    file: 'helper_command',
    help: 'Passed on to the FUSE program as helper_command.',
    default: 'sudo /usr/bin/workloadmgr-rootwrap /etc/triliovault-wlm/rootwrap.conf privsep-helper',
    parse: asText,
  },
  fuseUnits: {
    env: 'DMS_FUSE_UNITS',
    file: 'fuse_units',
    help: 'What keeps FUSE daemons when dms-server ends: scope (a transient unit of systemd for each), session, or auto: a scope where systemd runs.',
    default: 'auto',
    parse: asOneOf(...FUSE_UNITS),
  },
  rootwrap: {
    env: 'DMS_ROOTWRAP',
    file: 'rootwrap',
    help: 'Command put before mount and umount of NFS, e.g. "sudo /usr/bin/workloadmgr-rootwrap /etc/triliovault-wlm/rootwrap.conf".',
    default: null,
    parse: asText,
  },
  mountTimeoutMs: {
    env: 'DMS_MOUNT_TIMEOUT',
    file: 'mount_timeout',
    help: 'Seconds that a mount may take on the node.',
    default: '60',
    parse: asSeconds(1, 3600),
  },
  unmountTimeoutMs: {
    env: 'DMS_UNMOUNT_TIMEOUT',
    file: 'unmount_timeout',
    help: 'Seconds that an unmount may take on the node, the flush of the FUSE daemon included.',
    default: '60',
    parse: asSeconds(1, 3600),
  },
  probeTimeoutMs: {
    env: 'DMS_PROBE_TIMEOUT',
    file: 'probe_timeout',
    help: 'Seconds in which a healthy mount answers a look into it.',
    default: '10',
    parse: asSeconds(0.1, 600),
  },
  hangTimeoutMs: {
    env: 'DMS_HANG_TIMEOUT',
    file: 'hang_timeout',
    help: 'Seconds without an answer, and without work, after which a FUSE daemon is taken to hang and its mount to be broken; 0: never.',
    default: '8',
    parse: asSeconds(0, 3600),
  },
  fuseAbort: {
    env: 'DMS_FUSE_ABORT',
    file: 'fuse_abort',
    help: 'Cut the kernel connection of a FUSE daemon that hangs, so that whoever waits for it gets an error. What it was not given yet is lost.',
    default: 'false',
    parse: asBoolean,
  },
  nfsServerConcurrency: {
    env: 'DMS_NFS_SERVER_CONCURRENCY',
    file: 'nfs_server_concurrency',
    help: 'Mounts and looks into mounts that go on at a time at one NFS server; others wait for their turn.',
    default: '4',
    parse: asInteger(1, 1000),
  },
  nfsServerPauseMs: {
    env: 'DMS_NFS_SERVER_PAUSE',
    file: 'nfs_server_pause',
    help: 'Seconds for which an NFS server that gave no answer is left alone: its mounts fail at once. Then one finds out whether it is back.',
    default: '10',
    parse: asSeconds(0, 3600),
  },
  nfsSilenceMs: {
    env: 'DMS_NFS_SILENCE',
    file: 'nfs_silence',
    help: 'Seconds without an answer after which the mounts of an NFS server are in doubt, and the ledger is told; 0: never.',
    default: '8',
    parse: asSeconds(0, 3600),
  },
  busyTimeoutMs: {
    env: 'DMS_BUSY_TIMEOUT',
    file: 'busy_timeout',
    help: 'Seconds that an unmount goes on trying while somebody uses the mount.',
    default: '5',
    parse: asSeconds(0, 600),
  },
  unmountPolicy: {
    env: 'DMS_UNMOUNT_POLICY',
    file: 'unmount_policy',
    help: 'What an unmount may do beyond waiting, comma separated: lazy (umount -l of a busy mount), force (umount -f: it loses data), term, kill (signals to a FUSE daemon that does not end after its mount is gone: what it still uploads is lost).',
    default: null,
    parse: asSomeOf(...HARSH_STEPS),
  },
  queueLimit: {
    env: 'DMS_QUEUE_LIMIT',
    file: 'queue_limit',
    help: 'Commands that may wait for one target; one more is answered BUSY at once.',
    default: '32',
    parse: asInteger(1, 10_000),
  },
  prefetch: {
    env: 'DMS_PREFETCH',
    file: 'prefetch',
    help: 'Commands of each of its queues that the node takes before the first of them is answered; others wait in the broker. A quarter of them may be of one legacy caller (a Python program); one more is answered BUSY at once.',
    default: '500',
    parse: asInteger(1, 65_535),
  },
  mountpointGraceMs: {
    env: 'DMS_MOUNTPOINT_GRACE',
    file: 'mountpoint_grace',
    help: 'Seconds that the guarded, empty directory of an unmounted target stays.',
    default: '60',
    parse: asSeconds(0, 86_400),
  },
  healthHost: {
    env: 'DMS_HEALTH_HOST',
    file: 'health_host',
    help: 'Address of the health and metrics port.',
    default: '127.0.0.1',
    parse: asText,
  },
  healthPort: {
    env: 'DMS_HEALTH_PORT',
    file: 'health_port',
    help: 'Health and metrics port; 0 takes any free one.',
    default: '8091',
    parse: asPort,
  },
  ...TELEMETRY_SETTINGS,
  logLevel: {
    env: 'DMS_LOG_LEVEL',
    file: 'log_level',
    help: LOG_LEVEL_HELP,
    default: 'INFO',
    parse: asLogLevel,
  },
} as const;

export type ServerSettings = SettingValues<typeof SERVER_SETTINGS>;

export function allows({ unmountPolicy }: Pick<ServerSettings, 'unmountPolicy'>, step: HarshStep): boolean {
  return unmountPolicy?.includes(step) === true;
}

/** Injection token of the typed settings. */
export const SETTINGS = Symbol('ServerSettings');

/** @throws SettingsError that names every bad setting at once */
export function loadServerSettings(env: NodeJS.ProcessEnv = process.env): ServerSettings {
  return readSettings(SERVER_SETTINGS, { env, ...filesOf(env) }, (values) => [
    ...brokerProblems(values),
    ...(values.requireSigned === true && values.trustedKeysFile === null
      ? ['DMS_TRUSTED_KEYS_FILE: is required where DMS_REQUIRE_SIGNED is true']
      : []),
    ...ownerProblems(values),
  ]);
}

/** Where the node keeps what it knows: enough to look at it, and to ask the server that runs. */
export type NodeDirectories = Pick<ServerSettings, 'runDir' | 'pidDir' | 'unmountTimeoutMs'>;

/** For what needs the files of the node alone: no other setting is asked for, or looked at. @throws SettingsError */
export function loadNodeDirectories(env: NodeJS.ProcessEnv = process.env): NodeDirectories {
  const { runDir, pidDir, unmountTimeoutMs } = SERVER_SETTINGS;
  return readSettings({ runDir, pidDir, unmountTimeoutMs }, { env, ...filesOf(env) });
}

/** What stands in the configuration file and means nothing; it has been read before. */
export function unknownServerSettings(env: NodeJS.ProcessEnv = process.env): string[] {
  return unknownSettings([SERVER_SETTINGS], filesOf(env));
}

function filesOf(env: NodeJS.ProcessEnv): ConfigurationFiles {
  return { files: [env.DMS_CONFIG_FILE || '/etc/trilio-dms/server.conf'], section: 'server' };
}

/** A base belongs to root, so that its owner is not let in by DMS_MOUNT_OWNER. */
function ownerProblems({
  mountOwner,
  mountGroup,
}: Partial<Pick<ServerSettings, 'mountOwner' | 'mountGroup'>>): readonly string[] {
  return mountOwner !== undefined && mountOwner !== 0 && mountGroup === 0
    ? ['DMS_MOUNT_GROUP: is required where DMS_MOUNT_OWNER is not root: name a group that the owner is in']
    : [];
}

function asHost(text: string): string {
  const problem = hostProblem(text);
  if (problem !== null) throw new Error(problem);
  return text;
}
