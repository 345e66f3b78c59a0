import { spawn } from 'node:child_process';
import { type SignalCatcher, statusOfSignal } from './signals';

/** As shells say that a command was not found, or could not be executed. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

export interface CommandEnd {
  readonly status: number;
  /** Why the command did not start. */
  readonly problem: string | null;
}

/**
 * Runs a command with this process's standard streams until it ends; signals that come meanwhile go to it.
 *
 * @param env all of its environment
 * @returns its status, 128 + n where signal n ended it; 127 where it was not found, 126 where it could not be executed
 */
export function runCommand(
  [program, ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  signals: SignalCatcher,
): Promise<CommandEnd> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: 'inherit', env });
    // A terminal sends ctrl-C and ctrl-\ to the command itself, too; twice would be taken for impatience.
    const fromTerminal = process.stdin.isTTY;
    signals.listen((signal) => {
      if (!(fromTerminal && (signal === 'SIGINT' || signal === 'SIGQUIT'))) child.kill(signal);
    });
    const end = (result: CommandEnd): void => {
      signals.listen(null);
      resolve(result);
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      const status = error.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE;
      end({
        status,
        problem: `${program}: ${status === NOT_FOUND ? 'not found' : `cannot be executed (${error.code})`}`,
      });
    });
    child.once('exit', (code, signal) =>
      end({ status: signal === null ? (code ?? 1) : statusOfSignal(signal), problem: null }),
    );
  });
}
