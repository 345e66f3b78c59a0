import { CommandRunner, Option } from 'nest-commander';
import { type Format, FORMATS } from '../output';
import { oneOf, UsageError } from '../usage-error';

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
    return oneOf('--format', value, FORMATS);
  }
}

/** @throws UsageError where an option that must be given was not */
export function given(option: string, value: string | undefined): string {
  if (value === undefined) throw new UsageError(`${option}: is required`);
  return value;
}
