import { Command, Option } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { Output } from '../output';
import { bindingsView } from '../views/views';
import { type CommonOptions, DmsCommand } from './dms.command';

interface ListMountsOptions extends CommonOptions {
  readonly host?: string;
  readonly targetId?: string;
  readonly jobId?: string;
  readonly all?: boolean;
  readonly limit?: string;
  readonly cursor?: string;
}

@Command({ name: 'list-mounts', description: 'List which jobs hold which targets.' })
export class ListMountsCommand extends DmsCommand {
  constructor(
    private readonly connection: ApiConnection,
    private readonly output: Output,
  ) {
    super();
  }

  async run(_: string[], options: ListMountsOptions): Promise<void> {
    const { host, targetId, jobId, all, limit, cursor, format } = options;
    const parameters = {
      host,
      backup_target_id: targetId,
      jobid: jobId,
      mounted: all ? undefined : 'true',
      limit,
      cursor,
    };
    const body = await this.output.during('asking', async () =>
      (await this.connection.open()).listBindings(parameters),
    );
    await this.output.print(format, body, bindingsView);
  }

  @Option({ flags: '--host <name>', description: 'of this node only' })
  host(value: string): string {
    return value;
  }

  @Option({ flags: '--target-id <id>', description: 'of this backup target only' })
  targetId(value: string): string {
    return value;
  }

  @Option({ flags: '--job-id <number>', description: 'of this job only' })
  jobId(value: string): string {
    return value;
  }

  @Option({ flags: '--all', description: 'also bindings that are claimed, lost or released' })
  all(): boolean {
    return true;
  }

  @Option({ flags: '--limit <number>', description: 'how many at most, 1 to 1000' })
  limit(value: string): string {
    return value;
  }

  @Option({ flags: '--cursor <cursor>', description: 'go on after the page before' })
  cursor(value: string): string {
    return value;
  }
}
