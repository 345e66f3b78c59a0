import { spawn } from 'node:child_process';
import { fstatSync } from 'node:fs';
import { type SignalCatcher, statusOfSignal } from './signals';
import { isInForeground } from './terminal';

/** As shells say that a command was not found, or could not be executed. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

export interface CommandEnd {
  readonly status: number;
  /** The signal that ended it. */
  readonly signal: NodeJS.Signals | null;
  /** Why the command did not start. */
  readonly problem: string | null;
}

/** How others reach the command while it runs. */
export interface RunningCommand {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Runs a command with this process's standard streams, in its process group, until it ends; signals that come meanwhile
 * go to it, each time they come.
 *
 * @param env all of its environment
 * @param onStart is told of the command once it runs
 * @returns its status, 128 + n where signal n ended it; 127 where it was not found, 126 where it could not be executed
 */
export function runCommand(
  [program, ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  signals: SignalCatcher,
  onStart: (command: RunningCommand) => void = () => undefined,
): Promise<CommandEnd> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: descriptorsFor(args), env });
    signals.listen((signal) => {
      // A terminal sends ctrl-C and ctrl-\ to the command itself, too; twice would be taken for impatience.
      const keyboard = signal === 'SIGINT' || signal === 'SIGQUIT';
      if (!(keyboard && isInForeground())) child.kill(signal);
    });
    child.once('spawn', () => onStart({ pid: Number(child.pid), kill: (signal) => void child.kill(signal) }));
    const end = (result: CommandEnd): void => {
      signals.listen(null);
      resolve(result);
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      const status = error.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE;
      end({
        status,
        signal: null,
        problem: `${program}: ${status === NOT_FOUND ? 'not found' : `cannot be executed (${error.code})`}`,
      });
    });
    child.once('exit', (code, signal) =>
      end({ status: signal === null ? (code ?? 1) : statusOfSignal(signal), signal, problem: null }),
    );
  });
}

/**
 * The standard streams, and what a shell opened for the command and names to it, as with `<(…)`: Node.js keeps the low
 * descriptors that it was given from its children.
 */
function descriptorsFor(args: readonly string[]): ('inherit' | 'ignore' | number)[] {
  const named = args.flatMap((text) =>
    [...text.matchAll(/\/dev\/fd\/(\d{1,3})(?!\d)/g)].map(([, n]) => Number(n)),
  );
  const open = new Set(named.filter(isOpen));
  return Array.from({ length: Math.max(2, ...open) + 1 }, (_, descriptor) => {
    if (descriptor <= 2) return 'inherit';
    return open.has(descriptor) ? descriptor : 'ignore';
  });
}

function isOpen(descriptor: number): boolean {
  try {
    fstatSync(descriptor);
    return true;
  } catch {
    return false;
  }
}
