import { type Writable } from 'node:stream';
import { Secret } from '@app/contracts';
import { type ProcessStarts } from './process-starts';
import { scriptPath } from './scripts';
import { type SupervisorLauncher } from './supervisor-launcher.interface';

const SEARCH_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Variables by their names; the values that are secrets are kept out of the daemon's log. */
export type DaemonEnvironment = Readonly<Record<string, string | Secret>>;

/** What a FUSE daemon is started with. */
export interface FuseDaemonPlan {
  readonly targetId: string;
  /** Where it mounts; its environment must name it as `vault_data_directory`, or an argument be it. */
  readonly mountPath: string;
  readonly program: string;
  readonly args: readonly string[];
  /**
   * All of its environment but PATH. It may hold keys: only the daemon gets to see it. The supervisor starts while the
   * keys are still being read, and waits for them.
   */
  readonly environment: Promise<DaemonEnvironment>;
}

/**
 * Starts fuse-supervisor.sh, which starts the daemon once its environment is there. It belongs to no session, terminal
 * or pipe of ours, so that both live on when this program ends.
 *
 * @returns once the environment was handed over
 * @throws what `environment` is rejected with, or an Error if the supervisor could not be started or a variable
 *   cannot be handed over; no daemon runs then
 */
export async function startSupervised(
  starts: ProcessStarts,
  launcher: SupervisorLauncher,
  plan: FuseDaemonPlan,
  recordDir: string,
  pidFile: string,
): Promise<void> {
  const script = scriptPath('fuse-supervisor.sh');
  const [program, ...args] = launcher.wrap(plan.targetId, [
    '/bin/sh',
    script,
    recordDir,
    pidFile,
    plan.program,
    ...plan.args,
  ]);
  const supervisor = await starts.start(program, args, {
    cwd: '/',
    detached: true,
    env: { PATH: SEARCH_PATH },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const stdin = supervisor.stdin as Writable;
  const failed = new Promise<never>((_resolve, reject) => {
    stdin.once('error', reject);
  });
  try {
    const lines = environmentLines(await Promise.race([plan.environment, failed]));
    const written = new Promise<void>((resolve) => stdin.end(lines, () => resolve()));
    await Promise.race([written, failed]);
  } finally {
    failed.catch(() => undefined); // it has been told above, or comes after all was handed over
    // Where not all was written the supervisor sees the end of its input, and starts nothing.
    stdin.destroy();
    supervisor.unref();
  }
}

/**
 * One line for each variable, a secret's with a "*" before it, and the line that says that all have come. Longer values
 * come first: a secret may be a part of another one.
 */
function environmentLines(environment: DaemonEnvironment): string {
  const variables = Object.entries(environment).map(([name, value]) => {
    const text = value instanceof Secret ? value.reveal() : value;
    if (!VARIABLE.test(name)) throw new Error(`"${name}" is not the name of an environment variable`);
    if (/[\n\0]/.test(text)) throw new Error(`the value of ${name} holds a line break or a NUL`);
    return { line: `${value instanceof Secret ? '*' : ''}${name}=${text}\n`, length: text.length };
  });
  const lines = variables.toSorted((a, b) => b.length - a.length).map(({ line }) => line);
  return `${lines.join('')}.\n`;
}
