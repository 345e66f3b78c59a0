import { plainText } from '@app/contracts';
import { optionOf } from './option-names';

/** What an error says of itself; `instanceof` would load the libraries that the error is from. */
interface Described {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly exitCode?: unknown;
  readonly details?: { readonly fields?: unknown };
  readonly operationId?: unknown;
  readonly problems?: unknown;
}

interface Report {
  /** Null where there is nothing to say. */
  readonly line: string | null;
  readonly exitCode: number;
}

const WRONG_USE = 2;

/** Prints an error as one line on standard error and returns the status to exit with. */
export function reportError(thrown: unknown): number {
  const { line, exitCode } = describeError(thrown);
  if (line !== null) process.stderr.write(`dms: ${line}\n`);
  if (process.env.DMS_LOG_LEVEL?.toUpperCase() === 'DEBUG') process.stderr.write(`${stackOf(thrown)}\n`);
  return exitCode;
}

/** An error as one line that begins with its code. */
export function describeError(thrown: unknown): Report {
  const error = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as Described;
  const message = oneLine(typeof error.message === 'string' ? error.message : String(thrown));
  if (typeof error.code === 'string' && error.code.startsWith('commander.')) {
    return describeCommander(error, message);
  }
  if (error.name === 'UsageError') return wrongUse(message);
  if (error.name === 'SettingsError' && Array.isArray(error.problems)) {
    return wrongUse(`configuration: ${oneLine(error.problems.join('; '))}`);
  }
  if (error.name === 'DmsError' && typeof error.exitCode === 'number') {
    return describeDmsError(error, message);
  }
  return { line: `INTERNAL: ${message}`, exitCode: 1 };
}

function describeCommander({ code, exitCode }: Described, message: string): Report {
  if (code === 'commander.helpDisplayed') return { line: null, exitCode: 0 };
  // Asked for by the command "help"; or no command was given, and the help stands on standard error already.
  if (code === 'commander.help') return { line: null, exitCode: exitCode === 0 ? 0 : WRONG_USE };
  return wrongUse(message.replace(/^error: /, ''));
}

function describeDmsError(error: Described, message: string): Report {
  const operation = typeof error.operationId === 'string' ? ` (operation ${error.operationId})` : '';
  const text = withOptionNames(error.details?.fields) ?? optionsIn(message);
  return { line: `${String(error.code)}: ${oneLine(text)}${operation}`, exitCode: Number(error.exitCode) };
}

function wrongUse(message: string): Report {
  return { line: `VALIDATION_FAILED: ${message}`, exitCode: WRONG_USE };
}

/** The fields of a request by the options that set them. */
function withOptionNames(fields: unknown): string | null {
  if (!Array.isArray(fields) || fields.length === 0) return null;
  return (fields as { field?: unknown; problem?: unknown }[])
    .map(({ field, problem }) => `${optionOf(String(field))}: ${String(problem)}`)
    .join('; ');
}

/** A node's answer names the fields of its target in the text alone. */
function optionsIn(message: string): string {
  return message.replace(/(?<![\w.])backup_target\.\w+(?=: )/g, optionOf);
}

function oneLine(text: string): string {
  return plainText(text.replace(/\s*\n\s*/g, ' '), '?');
}

function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause === undefined ? '' : `\ncaused by ${stackOf(thrown.cause)}`;
  return `${thrown.stack ?? thrown.message}${cause}`;
}
