import { Module } from '@nestjs/common';
import { BindingsModule } from '../bindings/bindings.module';
import { MountsModule } from '../mounts/mounts.module';
import { NodesModule } from '../nodes/nodes.module';
import { ExpiredLeasesRepository } from './expired-leases.repository';
import { LeasesService } from './leases.service';
import { UptimeRepository } from './uptime.repository';

/** Holds that are to be renewed; the command line renews, too. */
@Module({
  imports: [BindingsModule, MountsModule, NodesModule],
  providers: [ExpiredLeasesRepository, LeasesService, UptimeRepository],
  exports: [LeasesService, UptimeRepository],
})
export class LeasesModule {}
