import { Command } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { ExitStatus } from '../exit-status';
import { Output } from '../output';
import { TargetCommand, type TargetOptions } from './target.command';

@Command({
  name: 'run',
  arguments: '<command...>',
  argsDescription: { command: 'what to run, behind "--"; DMS_MOUNT_PATH tells it where the target is' },
  description: 'Mount a target, run a command on it, and unmount it whatever becomes of the command.',
})
export class RunCommand extends TargetCommand {
  constructor(
    private readonly connection: ApiConnection,
    private readonly output: Output,
    private readonly status: ExitStatus,
  ) {
    super();
  }

  async run(command: string[], options: TargetOptions): Promise<void> {
    const { MountedRun } = await import('../run/mounted-run.js');
    const run = await MountedRun.of(options, this.output);
    this.status.code = await run.execute(command, this.connection);
  }
}
