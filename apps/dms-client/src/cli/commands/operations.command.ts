import { Command, Option } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { Output } from '../output';
import { operationsView, operationView } from '../views/views';
import { type CommonOptions, DmsCommand } from './dms.command';

interface OperationsOptions extends CommonOptions {
  readonly status?: string;
  readonly action?: string;
  readonly host?: string;
  readonly targetId?: string;
  readonly jobId?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: string;
  readonly cursor?: string;
}

@Command({
  name: 'operations',
  arguments: '[id]',
  argsDescription: { id: 'show this operation' },
  description: 'List what was asked for, newest first, or show one operation.',
})
export class OperationsCommand extends DmsCommand {
  constructor(
    private readonly connection: ApiConnection,
    private readonly output: Output,
  ) {
    super();
  }

  async run([id]: string[], options: OperationsOptions): Promise<void> {
    const { format, targetId, jobId, status, action, host, since, until, limit, cursor } = options;
    const parameters = {
      status,
      action,
      host,
      backup_target_id: targetId,
      jobid: jobId,
      since,
      until,
      limit,
      cursor,
    };
    const api = await this.output.during('connecting', () => this.connection.open());
    if (id === undefined) await this.output.print(format, await api.operations(parameters), operationsView);
    else await this.output.print(format, await api.operation(id), operationView);
  }

  @Option({ flags: '--status <status>', description: 'pending, executing, success or error' })
  status(value: string): string {
    return value;
  }

  @Option({ flags: '--action <action>', description: 'mount, unmount or reconcile' })
  action(value: string): string {
    return value;
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

  @Option({ flags: '--since <time>', description: 'created then or later, e.g. 2026-11-21T10:00:00Z' })
  since(value: string): string {
    return value;
  }

  @Option({ flags: '--until <time>', description: 'created before' })
  until(value: string): string {
    return value;
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
