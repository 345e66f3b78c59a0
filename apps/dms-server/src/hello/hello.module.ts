import { Module } from '@nestjs/common';
import { FenceModule } from '../fence/fence.module';
import { KeysModule } from '../keys/keys.module';
import { ProvidersModule } from '../providers/providers.module';
import { Announcements } from './announcements.service';
import { HelloService } from './hello.service';

@Module({
  imports: [FenceModule, KeysModule, ProvidersModule],
  providers: [Announcements, HelloService],
  exports: [Announcements, HelloService],
})
export class HelloModule {}
