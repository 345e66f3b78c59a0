import { Module } from '@nestjs/common';
import { MountsModule } from '../mounts/mounts.module';
import { OpenTargetsRepository } from './open-targets.repository';
import { SettleTimer } from './settle-timer.service';

/** Settles what was left open, in every running dms-client; commands of the command line do not import it. */
@Module({ imports: [MountsModule], providers: [OpenTargetsRepository, SettleTimer], exports: [SettleTimer] })
export class ReconcileModule {}
