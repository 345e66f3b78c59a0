import { Injectable } from '@nestjs/common';
import { type Command } from 'commander';
import { InjectCommander } from 'nest-commander';
import { asFormat, asProgress, Output, type Progress } from './output';

/** `--version` was given. */
export class VersionAsked extends Error {}

/** The program as commander knows it. */
@Injectable()
export class Commander {
  constructor(
    @InjectCommander() private readonly root: Command,
    private readonly output: Output,
  ) {}

  /** Lets errors come to our runner, instead of an exit of commander's own, and the text of an error be printed once. */
  prepare(): void {
    this.root
      .name('dms')
      .description('Mounts backup targets on nodes for the jobs that need them.')
      .option('-V, --version', 'print the version')
      .on('option:version', () => {
        throw new VersionAsked();
      })
      .option('--format <format>', 'as with each command', asFormat)
      .option('--progress <when>', 'as with each command', asProgress)
      .addHelpText('after', FOOTER)
      .hook('preAction', (root, command) => {
        for (const name of ['format', 'progress']) handDown(root, command, name);
        this.output.progress = command.opts<{ progress?: Progress }>().progress ?? 'auto';
      });
    for (const command of this.root.commands) command.allowExcessArguments(false);
    for (const command of [this.root, ...this.root.commands]) {
      command.exitOverride().configureOutput({ outputError: () => undefined });
    }
  }
}

/** An option that every command has may stand before the command, too. */
function handDown(root: Command, command: Command, name: string): void {
  const value: unknown = root.getOptionValue(name);
  if (value !== undefined) command.setOptionValueWithSource(name, value, 'cli');
}

const FOOTER = `
Environment:
  DMS_API_URL       address of dms-client's HTTP facade; without it dms goes to broker and database itself
  DMS_API_TOKEN     bearer token for the HTTP facade
  DMS_DB_URL        database, where DMS_API_URL is not set
  DMS_RABBITMQ_URL  message broker, where DMS_API_URL is not set
  KEYSTONE_TOKEN    token with which the node reads the secret of an s3 target

Exit status: 0 done, 1 failed, 2 wrong use, 75 try again later.`;
