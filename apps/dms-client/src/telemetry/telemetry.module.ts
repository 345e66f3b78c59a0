import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { programVersion, stopTracing } from '@app/platform';
import { MetricsPage } from '@app/platform/metrics';
import { NodesHttpModule } from '../nodes/nodes.http.module';
import { NodesModule } from '../nodes/nodes.module';
import { ClientMetrics } from './client-metrics';
import { LedgerCollector } from './ledger.collector';
import { LedgerCountsRepository } from './ledger-counts.repository';
import { MetricsController } from './metrics.controller';
import { NodesCollector } from './nodes.collector';
import { ProcessGauges } from './process-gauges';

/** What operators watch: `/metrics`, and the end of tracing. */
@Module({
  imports: [NodesModule, NodesHttpModule],
  controllers: [MetricsController],
  providers: [
    { provide: MetricsPage, useFactory: () => new MetricsPage('dms-client', programVersion()) },
    ClientMetrics,
    LedgerCountsRepository,
    LedgerCollector,
    NodesCollector,
    ProcessGauges,
  ],
})
export class TelemetryModule implements OnApplicationShutdown {
  onApplicationShutdown(): Promise<void> {
    return stopTracing();
  }
}
