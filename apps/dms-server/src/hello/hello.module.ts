import { Logger, Module } from '@nestjs/common';
import { BrokerAlarm } from '@app/platform';
import { FenceModule } from '../fence/fence.module';
import { KeysModule } from '../keys/keys.module';
import { ProvidersModule } from '../providers/providers.module';
import { Announcements } from './announcements.service';
import { HelloService } from './hello.service';
import { NodeProblem } from './node-problem';
import { TroubledMounts } from './troubled-mounts';
import { WaysIn } from './ways-in';

@Module({
  imports: [FenceModule, KeysModule, ProvidersModule],
  providers: [
    Announcements,
    HelloService,
    NodeProblem,
    TroubledMounts,
    WaysIn,
    { provide: BrokerAlarm, useFactory: () => new BrokerAlarm(new Logger('Broker')) },
  ],
  exports: [Announcements, HelloService, TroubledMounts, WaysIn, BrokerAlarm],
})
export class HelloModule {}
