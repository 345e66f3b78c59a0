import { Command, Option } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { Output } from '../output';
import { bindingView } from '../views/views';
import { type CommonOptions, DmsCommand, given } from './dms.command';

interface StatusOptions extends CommonOptions {
  readonly jobId?: string;
  readonly targetId?: string;
  readonly host?: string;
  readonly verify?: boolean;
}

@Command({ name: 'status', description: "Show a job's binding to a target." })
export class StatusCommand extends DmsCommand {
  constructor(
    private readonly connection: ApiConnection,
    private readonly output: Output,
  ) {
    super();
  }

  async run(_: string[], { jobId, targetId, host, verify, format }: StatusOptions): Promise<void> {
    const name = { jobid: given('--job-id', jobId), backup_target_id: given('--target-id', targetId) };
    const parameters = { host, verify: verify ? 'true' : undefined };
    const body = await this.output.during('asking', async () =>
      (await this.connection.open()).status(name, parameters),
    );
    await this.output.print(format, body, bindingView);
  }

  @Option({ flags: '--job-id <number>', description: 'the job (required)' })
  jobId(value: string): string {
    return value;
  }

  @Option({ flags: '--target-id <id>', description: 'the backup target (required)' })
  targetId(value: string): string {
    return value;
  }

  @Option({ flags: '--host <name>', description: 'the node, where the job holds the target on several' })
  host(value: string): string {
    return value;
  }

  @Option({ flags: '--verify', description: 'ask the node, too, what it sees' })
  verify(): boolean {
    return true;
  }
}
