import { Command } from 'nest-commander';
import { Output } from '../output';
import { type CommonOptions, DmsCommand } from './dms.command';

interface Migrated {
  /** Names of the migrations that were run. */
  readonly migrations: readonly string[];
}

@Command({ name: 'migrate', description: 'Bring the schema of the database (DMS_DB_URL) up to date.' })
export class MigrateCommand extends DmsCommand {
  constructor(private readonly output: Output) {
    super();
  }

  async run(_: string[], { format }: CommonOptions): Promise<void> {
    const body = await this.output.during('migrating', async (): Promise<Migrated> => {
      const { migrateLedger } = await import('../api/local-migration.js');
      return { migrations: await migrateLedger() };
    });
    await this.output.print(format, body, ({ migrations }) =>
      migrations.length === 0
        ? ['The schema is up to date.']
        : [`These migrations were run: ${migrations.join(', ')}`],
    );
  }
}
