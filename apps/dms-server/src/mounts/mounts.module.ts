import { Module } from '@nestjs/common';
import { FenceModule } from '../fence/fence.module';
import { ProvidersModule } from '../providers/providers.module';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { AbsenceService } from './absence.service';
import { AdoptionService } from './adoption.service';
import { CopiedMounts } from './copied-mounts';
import { FlushFailures } from './flush-failures';
import { HungMounts } from './hung-mounts';
import { LooksService } from './looks.service';
import { MountsController } from './mounts.controller';
import { MountsService } from './mounts.service';
import { ObservationService } from './observation.service';
import { TargetCommandsService } from './target-commands.service';
import { TargetQueues } from './target-queue';
import { UnmountsService } from './unmounts.service';

@Module({
  imports: [FenceModule, ProvidersModule],
  controllers: [MountsController],
  providers: [
    {
      provide: TargetQueues,
      useFactory: ({ queueLimit }: ServerSettings) => new TargetQueues(queueLimit),
      inject: [SETTINGS],
    },
    AbsenceService,
    AdoptionService,
    CopiedMounts,
    FlushFailures,
    HungMounts,
    LooksService,
    MountsService,
    ObservationService,
    TargetCommandsService,
    UnmountsService,
  ],
  exports: [
    AbsenceService,
    AdoptionService,
    CopiedMounts,
    FlushFailures,
    HungMounts,
    LooksService,
    ObservationService,
    TargetQueues,
  ],
})
export class MountsModule {}
