import { type DynamicModule, Module } from '@nestjs/common';
import { type Patience } from '../../ledger/first-connection';
import { LedgerModule } from '../../ledger/ledger.module';
import { type MigrationPlan, MigrateService } from '../../ledger/migrate.service';
import { type ClientSettings, loadDatabaseSettings } from '../../settings/client.settings';
import { SettingsModule } from '../../settings/settings.module';
import { openContext } from './local-context';

/** It runs before a dms-client starts, where the database is started, too. */
const PATIENT: Patience = {
  attempts: 10,
  limitMs: 60_000,
  tell: (problem, attempt) => {
    if (attempt === 1) process.stderr.write(`dms: ${problem}; it is waited for\n`);
  },
};

/** The database alone. */
@Module({})
class MigrationModule {
  static forRoot(settings: ClientSettings): DynamicModule {
    return {
      module: MigrationModule,
      imports: [SettingsModule.forRoot(settings), LedgerModule.forRoot(PATIENT)],
    };
  }
}

/**
 * Brings the schema of the database up to date.
 *
 * @returns the names of the migrations that were run
 * @throws SettingsError; DmsError LEDGER_UNAVAILABLE, and as MigrateService
 */
export async function migrateLedger(): Promise<string[]> {
  return withService((service) => service.migrate());
}

/** What {@link migrateLedger} would do. @throws as it does */
export async function planMigration(): Promise<MigrationPlan> {
  return withService((service) => service.plan());
}

async function withService<T>(work: (service: MigrateService) => Promise<T>): Promise<T> {
  const settings = loadDatabaseSettings();
  const context = await openContext(MigrationModule.forRoot(settings), settings);
  try {
    return await work(context.get(MigrateService, { strict: false }));
  } finally {
    await context.close();
  }
}
