import { Module } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { FailoverPool, poolOf } from '../ledger/failover-pool';
import { MountsModule } from '../mounts/mounts.module';
import { NodesModule } from '../nodes/nodes.module';
import { NodesHttpModule } from '../nodes/nodes.http.module';
import { NodeLeaseRepository } from './node-lease.repository';
import { OpenTargetsRepository } from './open-targets.repository';
import { ReconcileHttpController } from './reconcile.http.controller';
import { ReconcileTimer } from './reconcile-timer.service';
import { ReconcilerService } from './reconciler.service';
import { SettleTimer } from './settle-timer.service';

/** Keeps ledger and kernels in agreement, in every running dms-client; the command line does not import it. */
@Module({
  imports: [MountsModule, NodesModule, NodesHttpModule],
  controllers: [ReconcileHttpController],
  providers: [
    { provide: FailoverPool, useFactory: poolOf, inject: [DataSource] },
    NodeLeaseRepository,
    OpenTargetsRepository,
    ReconcilerService,
    ReconcileTimer,
    SettleTimer,
  ],
})
export class ReconcileModule {}
