import { Module } from '@nestjs/common';
import { MountsModule } from '../mounts/mounts.module';
import { StopService } from './stop.service';

/** Stopping the facade. The `dms` command, which works in a process of its own, has no part in it. */
@Module({
  imports: [MountsModule],
  providers: [StopService],
  exports: [StopService],
})
export class StopModule {}
