import { Module } from '@nestjs/common';
import { FlockAdapter } from '../locks/flock.adapter';
import { HOST_LOCK } from '../locks/host-lock.interface';
import { LockService } from '../locks/lock.service';
import { TargetLeasesRepository } from '../locks/target-leases.repository';
import { NodesModule } from '../nodes/nodes.module';
import { CommandFactory } from './command.factory';
import { DecisionService } from './decision.service';
import { IntakeService } from './intake.service';
import { LeftoverOperations } from './leftover-operations';
import { MountsService } from './mounts.service';
import { SettlementService } from './settlement.service';
import { TargetCoordinator } from './target-coordinator.service';
import { TargetDriver } from './target-driver.service';

/** Mounting and unmounting for jobs, without a way in: HTTP and the command line bring theirs. */
@Module({
  imports: [NodesModule],
  providers: [
    CommandFactory,
    DecisionService,
    IntakeService,
    LeftoverOperations,
    LockService,
    { provide: HOST_LOCK, useClass: FlockAdapter },
    MountsService,
    SettlementService,
    TargetCoordinator,
    TargetDriver,
    TargetLeasesRepository,
  ],
  exports: [MountsService, TargetCoordinator],
})
export class MountsModule {}
