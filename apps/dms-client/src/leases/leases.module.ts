import { Module } from '@nestjs/common';
import { BindingsModule } from '../bindings/bindings.module';
import { MountsModule } from '../mounts/mounts.module';
import { NodesModule } from '../nodes/nodes.module';
import { LeasedBindingsRepository } from './leased-bindings.repository';
import { LeasesService } from './leases.service';

/** Holds that are to be renewed; the command line renews, too. */
@Module({
  imports: [BindingsModule, MountsModule, NodesModule],
  providers: [LeasedBindingsRepository, LeasesService],
  exports: [LeasesService],
})
export class LeasesModule {}
