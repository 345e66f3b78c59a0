import { type DynamicModule, Module } from '@nestjs/common';
import { LedgerModule } from '../../ledger/ledger.module';
import { type MigrationPlan, MigrateService } from '../../ledger/migrate.service';
import { type ClientSettings, loadDatabaseSettings } from '../../settings/client.settings';
import { SettingsModule } from '../../settings/settings.module';
import { openContext } from './local-context';

/** The database alone. */
@Module({})
class MigrationModule {
  static forRoot(settings: ClientSettings): DynamicModule {
    return { module: MigrationModule, imports: [SettingsModule.forRoot(settings), LedgerModule.forRoot()] };
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
