import { CommandRunner, Option } from 'nest-commander';
import { asFormat, asProgress, type Format, FORMATS, type Progress, PROGRESS } from '../output';
import { UsageError } from '../usage-error';

export interface CommonOptions {
  readonly format: Format;
}

/** What all commands have. */
export abstract class DmsCommand extends CommandRunner {
  @Option({
    flags: '--format <format>',
    description: 'table is for people, json for programs',
    choices: [...FORMATS],
    defaultValue: 'table',
  })
  format(value: string): Format {
    return asFormat(value);
  }

  @Option({
    flags: '--progress <when>',
    description: 'auto shows on a terminal that long work goes on',
    choices: [...PROGRESS],
    defaultValue: 'auto',
  })
  progress(value: string): Progress {
    return asProgress(value);
  }
}

/** @throws UsageError where an option that must be given was not */
export function given(option: string, value: string | undefined): string {
  if (value === undefined) throw new UsageError(`${option}: is required`);
  return value;
}
