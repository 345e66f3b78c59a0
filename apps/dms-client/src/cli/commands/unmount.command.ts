import { Command } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { ExitStatus } from '../exit-status';
import { Output } from '../output';
import { unmountProblem } from '../unmount-problem';
import { unmountView } from '../views/views';
import { TargetCommand, type TargetOptions } from './target.command';

@Command({ name: 'unmount', description: "End a job's hold; the last hold takes the mount away." })
export class UnmountCommand extends TargetCommand {
  constructor(
    private readonly connection: ApiConnection,
    private readonly output: Output,
    private readonly status: ExitStatus,
  ) {
    super();
  }

  async run(_: string[], options: TargetOptions): Promise<void> {
    const { targetRequest } = await import('../target-request.js');
    const request = await targetRequest('unmount', options, (message) => this.output.warn(message));
    const api = await this.output.during('connecting', () => this.connection.open());
    const body = await this.output.during(
      `unmounting ${request.backup_target.id} on ${request.host}`,
      () => api.unmount(request),
      api.requestTimeoutMs,
    );
    await this.output.print(options.format, body, unmountView);
    const problem = unmountProblem(body);
    if (problem === null) return;
    this.output.warn(problem.message);
    if (problem.dataAtRisk) this.status.code = 1;
  }
}
