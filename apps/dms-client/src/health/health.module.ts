import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { NodesModule } from '../nodes/nodes.module';
import { StopModule } from '../stop/stop.module';
import { BrokerHealthIndicator } from './broker.health';
import { LedgerHealthIndicator } from './ledger.health';
import { NodesHealthIndicator } from './nodes.health';
import { HealthController } from './health.controller';

@Module({
  imports: [TerminusModule.forRoot({ logger: false }), NodesModule, StopModule],
  controllers: [HealthController],
  providers: [BrokerHealthIndicator, LedgerHealthIndicator, NodesHealthIndicator],
})
export class HealthModule {}
