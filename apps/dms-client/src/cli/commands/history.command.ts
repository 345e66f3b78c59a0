import { Command, Option } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { Output } from '../output';
import { historyView } from '../views/views';
import { type CommonOptions, DmsCommand, given } from './dms.command';

interface HistoryOptions extends CommonOptions {
  readonly targetId?: string;
  readonly limit?: string;
}

@Command({ name: 'history', description: 'Show what was asked for a target, newest first.' })
export class HistoryCommand extends DmsCommand {
  constructor(
    private readonly connection: ApiConnection,
    private readonly output: Output,
  ) {
    super();
  }

  async run(_: string[], { targetId, limit, format }: HistoryOptions): Promise<void> {
    const id = given('--target-id', targetId);
    const body = await this.output.during('asking', async () =>
      (await this.connection.open()).history(id, { limit }),
    );
    await this.output.print(format, body, historyView);
  }

  @Option({ flags: '--target-id <id>', description: 'the backup target (required)' })
  targetId(value: string): string {
    return value;
  }

  @Option({ flags: '--limit <number>', description: 'how many at most, 1 to 1000' })
  limit(value: string): string {
    return value;
  }
}
