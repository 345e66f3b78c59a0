import { Command, Option } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { ExitStatus } from '../exit-status';
import { Output } from '../output';
import { UsageError } from '../usage-error';
import { TargetCommand, type TargetOptions } from './target.command';

export interface RunOptions extends TargetOptions {
  /** 0: none. */
  readonly lease?: number;
}

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

  @Option({
    flags: '--lease <seconds>',
    description:
      'the hold ends when it is not renewed for this long (DMS_API_URL: 60, else none); 0 for none',
  })
  lease(value: string): number {
    if (!/^\d{1,6}$/.test(value))
      throw new UsageError('--lease (lease_s): must be a whole number of seconds');
    return Number(value);
  }

  async run(command: string[], options: RunOptions): Promise<void> {
    const { MountedRun } = await import('../run/mounted-run.js');
    const run = await MountedRun.of(options, this.output);
    this.status.code = await run.execute(command, this.connection);
  }
}
