import { type DynamicModule, Module } from '@nestjs/common';
import { LedgerModule } from '../../ledger/ledger.module';
import { MigrateService } from '../../ledger/migrate.service';
import { type ClientSettings, loadClientSettings } from '../../settings/client.settings';
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
 * @throws SettingsError; DmsError LEDGER_UNAVAILABLE, LOCK_TIMEOUT
 */
export async function migrateLedger(): Promise<string[]> {
  const settings = loadClientSettings();
  const context = await openContext(MigrationModule.forRoot(settings), settings);
  try {
    return await context.get(MigrateService, { strict: false }).migrate();
  } finally {
    await context.close();
  }
}
