import { Command, Option } from 'nest-commander';
import { ExitStatus } from '../exit-status';
import { Output } from '../output';
import { migrationPlanView, migrationView } from '../views/migration-views';
import { type CommonOptions, DmsCommand } from './dms.command';

interface MigrateOptions extends CommonOptions {
  readonly dryRun?: boolean;
}

@Command({ name: 'migrate', description: 'Bring the schema of the database (DMS_DB_URL) up to date.' })
export class MigrateCommand extends DmsCommand {
  constructor(
    private readonly output: Output,
    private readonly status: ExitStatus,
  ) {
    super();
  }

  async run(_: string[], { dryRun = false, format }: MigrateOptions): Promise<void> {
    if (dryRun) return this.#plan(format);
    const migrations = await this.output.during('migrating', async () =>
      (await import('../api/local-migration.js')).migrateLedger(),
    );
    await this.output.print(format, { migrations }, migrationView);
  }

  async #plan(format: MigrateOptions['format']): Promise<void> {
    const plan = await this.output.during('looking', async () =>
      (await import('../api/local-migration.js')).planMigration(),
    );
    await this.output.print(format, plan, migrationPlanView);
    if (plan.problems.length > 0) this.status.code = 1;
  }

  @Option({ flags: '--dry-run', description: 'only tell what would be done, and what stands in the way' })
  dryRun(): boolean {
    return true;
  }
}
