import { Module } from '@nestjs/common';
import { FenceModule } from '../fence/fence.module';
import { ProvidersModule } from '../providers/providers.module';
import { HelloService } from './hello.service';

@Module({
  imports: [FenceModule, ProvidersModule],
  providers: [HelloService],
  exports: [HelloService],
})
export class HelloModule {}
