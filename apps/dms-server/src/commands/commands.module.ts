import { Module } from '@nestjs/common';
import { FenceModule } from '../fence/fence.module';
import { HelloModule } from '../hello/hello.module';
import { brokerProvider } from './broker.provider';
import { NodeCommandServer } from './node-command.server';

@Module({
  imports: [FenceModule, HelloModule],
  providers: [brokerProvider, NodeCommandServer],
  exports: [NodeCommandServer],
})
export class CommandsModule {}
