import { type DynamicModule, Module } from '@nestjs/common';
import { BindingsModule } from '../../bindings/bindings.module';
import { CleanupModule } from '../../cleanup/cleanup.module';
import { EventsModule } from '../../events/events.module';
import { LeasesModule } from '../../leases/leases.module';
import { type Patience } from '../../ledger/first-connection';
import { LedgerModule } from '../../ledger/ledger.module';
import { LocksModule } from '../../locks/locks.module';
import { MountsModule } from '../../mounts/mounts.module';
import { NodesHttpModule } from '../../nodes/nodes.http.module';
import { OperationsModule } from '../../operations/operations.module';
import { NodeLeaseRepository } from '../../reconcile/node-lease.repository';
import { OpenTargetsRepository } from '../../reconcile/open-targets.repository';
import { ReconcilerService } from '../../reconcile/reconciler.service';
import { type ClientSettings } from '../../settings/client.settings';
import { SettingsModule } from '../../settings/settings.module';
import { OperationRenewal } from './operation-renewal';

/** A person waits. */
const IMPATIENT: Patience = { attempts: 3, limitMs: 3_000, tell: () => undefined };

/** dms-client's services without its ways in, and without its timers: a command does what it is told and no more. */
@Module({})
export class LocalModule {
  static forRoot(settings: ClientSettings): DynamicModule {
    return {
      module: LocalModule,
      imports: [
        SettingsModule.forRoot(settings),
        LedgerModule.forRoot(IMPATIENT),
        MountsModule,
        BindingsModule,
        OperationsModule,
        NodesHttpModule,
        CleanupModule,
        LocksModule,
        EventsModule,
        LeasesModule,
      ],
      providers: [NodeLeaseRepository, OpenTargetsRepository, ReconcilerService, OperationRenewal],
    };
  }
}
