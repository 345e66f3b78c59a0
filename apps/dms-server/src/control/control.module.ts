import { Module } from '@nestjs/common';
import { FenceModule } from '../fence/fence.module';
import { MountsModule } from '../mounts/mounts.module';
import { ProvidersModule } from '../providers/providers.module';
import { ControlServer } from './control.server';
import { ControlService } from './control.service';

/** What an operator on the node asks of the running server. */
@Module({
  imports: [FenceModule, MountsModule, ProvidersModule],
  providers: [ControlServer, ControlService],
})
export class ControlModule {}
