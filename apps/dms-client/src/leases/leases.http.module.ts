import { Module } from '@nestjs/common';
import { NodesModule } from '../nodes/nodes.module';
import { LeaseTimer } from './lease-timer.service';
import { LeasesHttpController } from './leases.http.controller';
import { LeasesModule } from './leases.module';

/** Renewing over HTTP, and the expiry, in every running dms-client. */
@Module({
  imports: [LeasesModule, NodesModule],
  controllers: [LeasesHttpController],
  providers: [LeaseTimer],
})
export class LeasesHttpModule {}
