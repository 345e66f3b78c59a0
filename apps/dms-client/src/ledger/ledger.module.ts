import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { createDataSource } from './data-source';
import { HeldBindingsRepository } from './held-bindings.repository';
import { MigrateService } from './migrate.service';
import { TargetLedger } from './target-ledger';

/** The database behind the ledger. It is waited for at start. */
@Module({})
export class LedgerModule {
  static forRoot(): DynamicModule {
    return {
      module: LedgerModule,
      global: true,
      imports: [
        TypeOrmModule.forRootAsync({
          inject: [SETTINGS],
          useFactory: (settings: ClientSettings) => ({
            ...createDataSource(settings).options,
            retryAttempts: 10,
            retryDelay: 1_000,
          }),
          dataSourceFactory: (options) =>
            options === undefined
              ? Promise.reject(new Error('No options'))
              : Promise.resolve(new DataSource(options)),
        }),
      ],
      providers: [HeldBindingsRepository, TargetLedger, MigrateService],
      exports: [HeldBindingsRepository, TargetLedger, MigrateService],
    };
  }
}
