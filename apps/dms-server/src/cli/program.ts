import { parseArgs, type ParseArgsConfig } from 'node:util';
import { SettingsError } from '@app/platform';
import { check, CHECK_HELP } from './check.command';
import { type Options, UsageError } from './options';
import { FORGET_LEDGER_HELP, forgetLedger } from './forget-ledger.command';
import { processes, PROCESSES_HELP } from './processes.command';

const WRONG_USE = 2;
const COMMANDS = {
  processes: {
    run: processes,
    help: PROCESSES_HELP,
    options: {
      watch: { type: 'boolean' },
      detailed: { type: 'boolean' },
      kill: { type: 'string' },
      force: { type: 'boolean' },
      cleanup: { type: 'boolean' },
    },
  },
  check: { run: check, help: CHECK_HELP, options: {} },
  'forget-ledger': { run: forgetLedger, help: FORGET_LEDGER_HELP, options: {} },
} as const;

/**
 * Runs a command beside the server, such as `dms-server processes`. Errors are one line on standard error, with their code.
 *
 * @returns the exit status: 0 done, 1 failed, 2 wrong use, 75 try again later
 */
export async function runCommand(name: keyof typeof COMMANDS, args: readonly string[]): Promise<number> {
  const command = COMMANDS[name];
  try {
    if (args.includes('--help') || args.includes('-h')) {
      process.stdout.write(command.help);
      return 0;
    }
    return await command.run(parse(args, command.options));
  } catch (error) {
    const { code, message, exitCode } = describe(error);
    process.stderr.write(`dms-server: ${code}: ${message}\n`);
    return exitCode;
  }
}

function parse(args: readonly string[], options: NonNullable<ParseArgsConfig['options']>): Options {
  const all = { ...options, format: { type: 'string', default: 'table' } } as const;
  const { values } = parseArgs({ args: [...args], options: all, allowPositionals: false, strict: true });
  if (values.format !== 'table' && values.format !== 'json') {
    throw new UsageError('--format: must be one of table, json');
  }
  return values as unknown as Options;
}

function describe(error: unknown): { code: string; message: string; exitCode: number } {
  const { code, exitCode, message } = error as { code?: unknown; exitCode?: unknown; message?: unknown };
  const text = String(message).replace(/\s*\n\s*/g, ' ');
  const isMisuse = typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS');
  if (isMisuse || error instanceof UsageError || error instanceof SettingsError) {
    return { code: 'VALIDATION_FAILED', message: text, exitCode: WRONG_USE };
  }
  return typeof exitCode === 'number'
    ? { code: String(code), message: text, exitCode }
    : { code: 'INTERNAL', message: text, exitCode: 1 };
}
