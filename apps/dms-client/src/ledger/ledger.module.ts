import { type DynamicModule, Logger, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { ArrivalsRepository } from './arrivals.repository';
import { createDataSource, serversIn } from './data-source';
import { connectFirst, type Patience } from './first-connection';
import { HeldBindingsRepository } from './held-bindings.repository';
import { MigrateService } from './migrate.service';
import { ObservedChanges } from './observed-changes';
import { TargetLedger } from './target-ledger';

/** For what runs all the time: who started it starts it again. */
const SERVICE: Patience = {
  attempts: 10,
  limitMs: 60_000,
  tell: (problem, attempt) => new Logger('Database').warn(`${problem}; it is tried again (${attempt})`),
};

/** The database behind the ledger. It is waited for at start. */
@Module({})
export class LedgerModule {
  static forRoot(patience: Patience = SERVICE): DynamicModule {
    return {
      module: LedgerModule,
      global: true,
      imports: [
        TypeOrmModule.forRootAsync({
          inject: [SETTINGS],
          // Nest's own retries would log a stack with each.
          useFactory: (settings: ClientSettings) => ({
            ...createDataSource(settings).options,
            toRetry: () => false,
          }),
          dataSourceFactory: (options) =>
            options === undefined
              ? Promise.reject(new Error('No options'))
              : connectFirst(() => new DataSource(options), serversIn(options), patience),
        }),
      ],
      providers: [ArrivalsRepository, HeldBindingsRepository, MigrateService, ObservedChanges, TargetLedger],
      exports: [ArrivalsRepository, HeldBindingsRepository, MigrateService, ObservedChanges, TargetLedger],
    };
  }
}
