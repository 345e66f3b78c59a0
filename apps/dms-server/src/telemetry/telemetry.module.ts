import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { programVersion, stopTracing } from '@app/platform';
import { MetricsPage } from '@app/platform/metrics';
import { CommandsModule } from '../commands/commands.module';
import { FenceModule } from '../fence/fence.module';
import { HelloModule } from '../hello/hello.module';
import { MountsModule } from '../mounts/mounts.module';
import { ProvidersModule } from '../providers/providers.module';
import { WatchModule } from '../watch/watch.module';
import { MetricsController } from './metrics.controller';
import { NodeGauges } from './node-gauges';
import { NodeMetrics } from './node-metrics';
import { ProcessesCollector } from './processes.collector';

/** What operators watch: `/metrics` on the health port, and the end of tracing. */
@Module({
  imports: [CommandsModule, FenceModule, HelloModule, MountsModule, ProvidersModule, WatchModule],
  controllers: [MetricsController],
  providers: [
    { provide: MetricsPage, useFactory: () => new MetricsPage('dms-server', programVersion()) },
    NodeGauges,
    NodeMetrics,
    ProcessesCollector,
  ],
})
export class TelemetryModule implements OnApplicationShutdown {
  onApplicationShutdown(): Promise<void> {
    return stopTracing();
  }
}
