import { type DynamicModule, Module } from '@nestjs/common';
import { AccessModule } from './access/access.module';
import { BindingsModule } from './bindings/bindings.module';
import { CleanupModule } from './cleanup/cleanup.module';
import { EventsHttpModule } from './events/events.http.module';
import { HealthModule } from './health/health.module';
import { LeasesHttpModule } from './leases/leases.http.module';
import { LedgerModule } from './ledger/ledger.module';
import { LocksModule } from './locks/locks.module';
import { MountsHttpModule } from './mounts/mounts.http.module';
import { NodesHttpModule } from './nodes/nodes.http.module';
import { OperationsModule } from './operations/operations.module';
import { ReconcileModule } from './reconcile/reconcile.module';
import { type ClientSettings } from './settings/client.settings';
import { SettingsModule } from './settings/settings.module';
import { StopModule } from './stop/stop.module';
import { TelemetryModule } from './telemetry/telemetry.module';

/** dms-client: the HTTP facade over the ledger. */
@Module({})
export class AppModule {
  static forRoot(settings: ClientSettings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SettingsModule.forRoot(settings),
        AccessModule.forRoot(settings),
        LedgerModule.forRoot(),
        LocksModule,
        MountsHttpModule,
        BindingsModule,
        OperationsModule,
        NodesHttpModule,
        CleanupModule,
        ReconcileModule,
        EventsHttpModule,
        LeasesHttpModule,
        HealthModule,
        TelemetryModule,
        StopModule,
      ],
    };
  }
}
