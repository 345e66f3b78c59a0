import { Module } from '@nestjs/common';
import { FenceModule } from '../fence/fence.module';
import { HelloModule } from '../hello/hello.module';
import { MountsModule } from '../mounts/mounts.module';
import { ProvidersModule } from '../providers/providers.module';
import { ProcDaemonWatch } from './daemon-watch.adapter';
import { DaemonEnds } from './daemon-ends';
import { DAEMON_WATCH } from './daemon-watch.interface';
import { HeartbeatService } from './heartbeat.service';
import { MountDoubts } from './mount-doubts';
import { NfsWatch } from './nfs-watch.service';
import { WatchService } from './watch.service';

/** Noticing what happens to mounts between commands. */
@Module({
  imports: [FenceModule, HelloModule, MountsModule, ProvidersModule],
  providers: [
    { provide: DAEMON_WATCH, useClass: ProcDaemonWatch },
    DaemonEnds,
    HeartbeatService,
    MountDoubts,
    NfsWatch,
    WatchService,
  ],
  exports: [MountDoubts],
})
export class WatchModule {}
