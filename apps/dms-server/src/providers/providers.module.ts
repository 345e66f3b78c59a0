import { Module } from '@nestjs/common';
import { BareDirectory } from '../kernel/bare-directory';
import { FusectlConnections } from '../kernel/fuse-connections.adapter';
import { FUSE_CONNECTIONS } from '../kernel/fuse-connections.interface';
import { StatfsHeartbeat } from '../kernel/heartbeat.adapter';
import { HEARTBEAT } from '../kernel/heartbeat.interface';
import { MadeDirectories } from '../kernel/made-directories.repository';
import { ProcMountCopies } from '../kernel/mount-copies.adapter';
import { MOUNT_COPIES } from '../kernel/mount-copies.interface';
import { MountProbeAdapter } from '../kernel/mount-probe.adapter';
import { MOUNT_PROBE } from '../kernel/mount-probe.interface';
import { FindmntChanges } from '../kernel/mount-table-changes.adapter';
import { MOUNT_TABLE_CHANGES } from '../kernel/mount-table-changes.interface';
import { MountTableAdapter } from '../kernel/mount-table.adapter';
import { MOUNT_TABLE } from '../kernel/mount-table.interface';
import { ProcMountUsers } from '../kernel/mount-users.adapter';
import { MOUNT_USERS } from '../kernel/mount-users.interface';
import { MountpointGuardAdapter } from '../kernel/mountpoint-guard.adapter';
import { MOUNTPOINT_GUARD } from '../kernel/mountpoint-guard.interface';
import { ChildRunnerAdapter } from '../processes/child-runner.adapter';
import { CHILD_RUNNER } from '../processes/child-runner.interface';
import { FuseProcessesService } from '../processes/fuse-processes.service';
import { ProcessStarts } from '../processes/process-starts';
import { RunningGroups } from '../processes/running-groups';
import { launcherFor } from '../processes/supervisor-launcher.adapter';
import { SUPERVISOR_LAUNCHER } from '../processes/supervisor-launcher.interface';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { LayerUnmounter } from './layer-unmounter';
import { NfsAwareProbe } from './nfs/nfs-aware-probe';
import { NfsProvider } from './nfs/nfs.provider';
import { SlowServers } from './nfs/slow-servers';
import { MountstatsReplies } from '../kernel/nfs-replies.adapter';
import { NFS_REPLIES } from '../kernel/nfs-replies.interface';
import { NfsFlush } from './nfs/nfs-flush';
import { NFS_PING } from './nfs/nfs-ping.interface';
import { RpcPing } from './nfs/rpc-ping.adapter';
import { ServerBreaker } from './nfs/server-breaker';
import { BarbicanAdapter } from './s3/barbican.adapter';
import { KEY_MANAGER } from './s3/key-manager.interface';
import { KeystoneCatalogAdapter } from './s3/keystone-catalog.adapter';
import { OpenStackReader } from './s3/openstack-reader';
import { S3Daemon } from './s3/s3-daemon';
import { S3Provider } from './s3/s3.provider';
import { TARGET_PROVIDERS, type TargetProvider } from './target-provider.interface';

/** The types of targets that this node can mount: a new one is a folder beside this file and a line here. */
const TARGET_TYPES_OF_THIS_NODE = [
  S3Provider, //
  NfsProvider,
];

/** What touches the kernel and child processes, and the target types on top of it. Needs the settings globally. */
@Module({
  providers: [
    { provide: MOUNT_TABLE, useClass: MountTableAdapter },
    { provide: MOUNT_TABLE_CHANGES, useClass: FindmntChanges },
    { provide: MOUNT_PROBE, useClass: NfsAwareProbe },
    { provide: HEARTBEAT, useClass: StatfsHeartbeat },
    { provide: FUSE_CONNECTIONS, useClass: FusectlConnections },
    { provide: MOUNT_COPIES, useClass: ProcMountCopies },
    { provide: MOUNT_USERS, useClass: ProcMountUsers },
    { provide: MOUNTPOINT_GUARD, useClass: MountpointGuardAdapter },
    { provide: CHILD_RUNNER, useClass: ChildRunnerAdapter },
    {
      provide: SUPERVISOR_LAUNCHER,
      inject: [SETTINGS],
      useFactory: ({ fuseUnits }: ServerSettings) => launcherFor(fuseUnits),
    },
    { provide: NFS_PING, useClass: RpcPing },
    { provide: NFS_REPLIES, useClass: MountstatsReplies },
    { provide: KEY_MANAGER, useClass: BarbicanAdapter },
    BareDirectory,
    FuseProcessesService,
    KeystoneCatalogAdapter,
    LayerUnmounter,
    MadeDirectories,
    MountProbeAdapter,
    NfsFlush,
    SlowServers,
    OpenStackReader,
    ProcessStarts,
    RunningGroups,
    S3Daemon,
    ServerBreaker,
    ...TARGET_TYPES_OF_THIS_NODE,
    {
      provide: TARGET_PROVIDERS,
      inject: TARGET_TYPES_OF_THIS_NODE,
      useFactory: (...providers: TargetProvider[]) => providers,
    },
  ],
  exports: [
    MOUNT_TABLE,
    MOUNT_TABLE_CHANGES,
    MOUNT_PROBE,
    HEARTBEAT,
    FUSE_CONNECTIONS,
    MOUNT_COPIES,
    MOUNT_USERS,
    MOUNTPOINT_GUARD,
    NFS_REPLIES,
    SlowServers,
    CHILD_RUNNER,
    FuseProcessesService,
    LayerUnmounter,
    ProcessStarts,
    ServerBreaker,
    TARGET_PROVIDERS,
  ],
})
export class ProvidersModule {}
