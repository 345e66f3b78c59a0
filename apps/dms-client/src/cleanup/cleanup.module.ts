import { Module } from '@nestjs/common';
import { MountsModule } from '../mounts/mounts.module';
import { CleanupHttpController } from './cleanup.http.controller';
import { CleanupService } from './cleanup.service';
import { StaleBindingsRepository } from './stale-bindings.repository';

/** Removing what nobody has touched for long. */
@Module({
  imports: [MountsModule],
  controllers: [CleanupHttpController],
  providers: [CleanupService, StaleBindingsRepository],
  exports: [CleanupService],
})
export class CleanupModule {}
