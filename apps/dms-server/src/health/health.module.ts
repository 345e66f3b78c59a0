import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { CommandsModule } from '../commands/commands.module';
import { FenceModule } from '../fence/fence.module';
import { HelloModule } from '../hello/hello.module';
import { ProvidersModule } from '../providers/providers.module';
import { HealthController } from './health.controller';
import { NodeHealth } from './node.health';

@Module({
  // Who asks is answered with what is wrong; a line in the log for each probe would only bury the cause.
  imports: [
    CommandsModule,
    FenceModule,
    HelloModule,
    ProvidersModule,
    TerminusModule.forRoot({ logger: false }),
  ],
  controllers: [HealthController],
  providers: [NodeHealth],
})
export class HealthModule {}
