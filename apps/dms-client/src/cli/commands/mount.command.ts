import { Command } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { Output } from '../output';
import { mountView } from '../views/views';
import { TargetCommand, type TargetOptions } from './target.command';

@Command({ name: 'mount', description: 'Mount a backup target for a job, or let the job join its mount.' })
export class MountCommand extends TargetCommand {
  constructor(
    private readonly connection: ApiConnection,
    private readonly output: Output,
  ) {
    super();
  }

  async run(_: string[], options: TargetOptions): Promise<void> {
    const { targetRequest } = await import('../target-request.js');
    const request = await targetRequest('mount', options, (message) => this.output.warn(message));
    const api = await this.output.during('connecting', () => this.connection.open());
    const body = await this.output.during(
      `mounting ${request.backup_target.id} on ${request.host}`,
      () => api.mount(request),
      api.requestTimeoutMs,
    );
    await this.output.print(options.format, body, mountView);
  }
}
