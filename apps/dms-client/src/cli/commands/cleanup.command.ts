import { Command, Option } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { Output } from '../output';
import { UsageError } from '../usage-error';
import { cleanupView } from '../views/views';
import { type CommonOptions, DmsCommand } from './dms.command';

interface CleanupOptions extends CommonOptions {
  readonly hours?: number;
  readonly dryRun?: boolean;
  readonly held?: boolean;
}

@Command({ name: 'cleanup', description: 'Remove bindings that were claimed, lost or released long ago.' })
export class CleanupCommand extends DmsCommand {
  constructor(
    private readonly connection: ApiConnection,
    private readonly output: Output,
  ) {
    super();
  }

  async run(_: string[], { hours, dryRun = false, held = false, format }: CleanupOptions): Promise<void> {
    if (hours === undefined) throw new UsageError('--hours: is required');
    const body = await this.output.during('cleaning up', async () =>
      (await this.connection.open()).cleanup({ hours, dry_run: dryRun, held }),
    );
    await this.output.print(format, body, cleanupView);
  }

  @Option({ flags: '--hours <number>', description: 'what was not changed for so long is stale (required)' })
  hours(value: string): number {
    if (!/^\d+(\.\d+)?$/.test(value)) throw new UsageError('--hours: must be a number of hours above 0');
    return Number(value);
  }

  @Option({ flags: '--dry-run', description: 'only tell what would be removed' })
  dryRun(): boolean {
    return true;
  }

  @Option({ flags: '--held', description: 'what is held, too: it is unmounted' })
  held(): boolean {
    return true;
  }
}
