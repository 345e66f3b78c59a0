import { spawn } from 'node:child_process';
import { cleanEnvironment } from './environment';
import { guardian, OWNER_VARIABLE } from './guardian';
import { signalGroup } from './processes';

/** How a command that ends by itself is run. */
export interface CommandOptions {
  readonly timeoutMs: number;
  readonly directory?: string;
  /** All of it; nothing is inherited. Default: `cleanEnvironment()`. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Statuses other than 0 that are an answer and no failure. */
  readonly expected?: readonly number[];
}

/** What a command answered. */
export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command to its end. A failure, or more time than allowed, is an error with the end of what it said; the
 * command's whole process group is then killed.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  guardian.arm();
  const child = spawn(command, args, {
    cwd: options.directory ?? '/',
    detached: true,
    env: { ...(options.environment ?? cleanEnvironment()), [OWNER_VARIABLE]: guardian.mark },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const pid = child.pid;
  if (pid !== undefined) guardian.watchGroup(pid);
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  // A command that does not read its input to the end is not an error by itself; its status tells.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');

  let late = false;
  const timer = setTimeout(() => {
    late = true;
    if (pid !== undefined) signalGroup(pid, 'SIGKILL');
  }, options.timeoutMs);
  try {
    const ended = await new Promise<{ status: number | null; signal: NodeJS.Signals | null }>(
      (resolve, reject) => {
        child.once('error', reject);
        child.once('close', (status, signal) => resolve({ status, signal }));
      },
    );
    const accepted = [0, ...(options.expected ?? [])];
    if (!late && ended.status !== null && accepted.includes(ended.status)) {
      return { status: ended.status, ...said };
    }
    const outcome = late
      ? `took more than ${options.timeoutMs} ms`
      : `ended with ${ended.signal ?? `status ${ended.status}`}`;
    const words = [lastLines(said.stderr), lastLines(said.stdout)].filter((text) => text !== '');
    throw new Error([`${command} ${args[0] ?? ''} ${outcome}`, ...words].join('\n'));
  } finally {
    clearTimeout(timer);
    if (pid !== undefined) guardian.forgetGroup(pid);
  }
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-25).join('\n');
}
