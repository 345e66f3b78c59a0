import { Module } from '@nestjs/common';
import { MountsModule } from '../mounts/mounts.module';
import { NodesHttpModule } from '../nodes/nodes.http.module';
import { BindingVerificationService } from './binding-verification.service';
import { BindingsHttpController } from './bindings.http.controller';
import { BindingsRepository } from './bindings.repository';
import { BindingsService } from './bindings.service';
import { JobReleaseService } from './job-release.service';

/** Who holds what. */
@Module({
  imports: [MountsModule, NodesHttpModule],
  controllers: [BindingsHttpController],
  providers: [BindingVerificationService, BindingsRepository, BindingsService, JobReleaseService],
  exports: [BindingsService, JobReleaseService],
})
export class BindingsModule {}
