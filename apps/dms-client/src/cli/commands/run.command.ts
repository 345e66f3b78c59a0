import { Command, Option } from 'nest-commander';
import { ApiConnection } from '../api/api-connection';
import { ExitStatus } from '../exit-status';
import { Output } from '../output';
import { type ReportOptions } from '../run/run-report';
import { oneOf, UsageError } from '../usage-error';
import { TargetCommand, type TargetOptions } from './target.command';

export interface RunOptions extends TargetOptions, ReportOptions {
  /** 0: none. */
  readonly lease?: number;
  /** What the command is sent when the mount breaks; `warn`: nothing, a warning is all. */
  readonly onBroken?: 'warn' | NodeJS.Signals;
}

/** As of `lease_s` in a request. */
const [LEAST_LEASE_S, MOST_LEASE_S] = [10, 604_800];
const BROKEN_SIGNALS = ['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2', 'KILL'] as const;

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
    const seconds = /^\d{1,6}$/.test(value) ? Number(value) : NaN;
    if (seconds === 0 || (seconds >= LEAST_LEASE_S && seconds <= MOST_LEASE_S)) return seconds;
    throw new UsageError(`--lease: must be whole seconds from ${LEAST_LEASE_S} to ${MOST_LEASE_S}, or 0`);
  }

  @Option({
    flags: '--on-broken <what>',
    description: 'what the command is told when the mount breaks while it runs',
    choices: ['warn', ...BROKEN_SIGNALS],
    defaultValue: 'warn',
  })
  onBroken(value: string): 'warn' | NodeJS.Signals {
    const word = oneOf('--on-broken', value, ['warn', ...BROKEN_SIGNALS]);
    return word === 'warn' ? word : `SIG${word}`;
  }

  @Option({ flags: '--quiet', description: 'say nothing but warnings and errors' })
  quiet(): boolean {
    return true;
  }

  @Option({
    flags: '--json',
    description: 'as --format json: each step is a JSON object on a line of standard error',
  })
  json(): boolean {
    return true;
  }

  @Option({
    flags: '--json-to <descriptor or file>',
    description: 'tell them there instead: to an open descriptor, by its number, or at the end of a file',
  })
  jsonTo(value: string): string {
    return value;
  }

  async run(command: string[], options: RunOptions): Promise<void> {
    const { MountedRun } = await import('../run/mounted-run.js');
    const run = await MountedRun.of(options, this.output);
    this.status.code = await run.execute(command, this.connection);
  }
}
