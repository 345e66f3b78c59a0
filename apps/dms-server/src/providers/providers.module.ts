import { Module } from '@nestjs/common';
import { MountProbeAdapter } from '../kernel/mount-probe.adapter';
import { MOUNT_PROBE } from '../kernel/mount-probe.interface';
import { MountTableAdapter } from '../kernel/mount-table.adapter';
import { MOUNT_TABLE } from '../kernel/mount-table.interface';
import { MountpointGuardAdapter } from '../kernel/mountpoint-guard.adapter';
import { MOUNTPOINT_GUARD } from '../kernel/mountpoint-guard.interface';
import { ChildRunnerAdapter } from '../processes/child-runner.adapter';
import { CHILD_RUNNER } from '../processes/child-runner.interface';
import { FuseProcessesService } from '../processes/fuse-processes.service';
import { LayerUnmounter } from './layer-unmounter';
import { NfsProvider } from './nfs/nfs.provider';
import { BarbicanAdapter } from './s3/barbican.adapter';
import { HttpReader } from './s3/http-reader';
import { KEY_MANAGER } from './s3/key-manager.interface';
import { KeystoneCatalogAdapter } from './s3/keystone-catalog.adapter';
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
    { provide: MOUNT_PROBE, useClass: MountProbeAdapter },
    { provide: MOUNTPOINT_GUARD, useClass: MountpointGuardAdapter },
    { provide: CHILD_RUNNER, useClass: ChildRunnerAdapter },
    { provide: KEY_MANAGER, useClass: BarbicanAdapter },
    FuseProcessesService,
    HttpReader,
    KeystoneCatalogAdapter,
    LayerUnmounter,
    S3Daemon,
    ...TARGET_TYPES_OF_THIS_NODE,
    {
      provide: TARGET_PROVIDERS,
      inject: TARGET_TYPES_OF_THIS_NODE,
      useFactory: (...providers: TargetProvider[]) => providers,
    },
  ],
  exports: [
    MOUNT_TABLE,
    MOUNT_PROBE,
    MOUNTPOINT_GUARD,
    CHILD_RUNNER,
    FuseProcessesService,
    LayerUnmounter,
    TARGET_PROVIDERS,
  ],
})
export class ProvidersModule {}
