import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandResult, guardian, OWNER_VARIABLE, waitFor } from '../rig';

type Variables = Readonly<Record<string, string>>;

/** A shell in which one command is run after the other, as a person does: variables, files and background programs stay. */
export class ShellSession {
  #count = 0;

  private constructor(
    private readonly shell: ChildProcess,
    private readonly directory: string,
  ) {}

  /**
   * @param directory its working directory is made in it
   * @param environment all of it; nothing is inherited
   */
  static async start(
    directory: string,
    environment: Readonly<Record<string, string>>,
  ): Promise<ShellSession> {
    const work = join(directory, 'work');
    await mkdir(work, { recursive: true });
    guardian.arm();
    const shell = spawn('/bin/bash', ['--noprofile', '--norc'], {
      cwd: work,
      detached: true,
      env: { ...environment, [OWNER_VARIABLE]: guardian.mark },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    if (shell.pid !== undefined) guardian.watchGroup(shell.pid);
    shell.stdin?.on('error', () => undefined);
    return new ShellSession(shell, directory);
  }

  get work(): string {
    return join(this.directory, 'work');
  }

  /**
   * @param lasting variables that are set before, and stay
   * @param own variables for this command alone, which then sets none itself
   */
  async run(
    command: string,
    timeoutMs: number,
    lasting: Variables = {},
    own: Variables = {},
  ): Promise<CommandResult> {
    this.#count += 1;
    const file = join(this.directory, String(this.#count));
    const alone = Object.keys(own).length > 0 ? `(\n${exported(own)}${command}\n)` : command;
    await writeFile(`${file}.sh`, `${exported(lasting)}${alone}\n`);
    this.shell.stdin?.write(
      `. '${file}.sh' >'${file}.out' 2>'${file}.err' </dev/null; echo $? >'${file}.end'; mv '${file}.end' '${file}.status'\n`,
    );
    await waitFor(() => existsSync(`${file}.status`) || this.shell.exitCode !== null, {
      timeoutMs,
      what: `the end of: ${command}`,
    });
    const [status, stdout, stderr] = await Promise.all(
      ['status', 'out', 'err'].map((suffix) => readFile(`${file}.${suffix}`, 'utf8')),
    );
    return { status: Number(status), stdout, stderr };
  }

  /** Ends the shell and what it started in the background. */
  async end(timeoutMs = 30_000): Promise<void> {
    const { pid } = this.shell;
    if (pid === undefined || this.shell.exitCode !== null) return;
    this.shell.stdin?.end('kill $(jobs -p) 2>/dev/null; wait\n');
    try {
      await waitFor(() => this.shell.exitCode !== null, { timeoutMs, what: 'the shell to end' });
    } finally {
      if (this.shell.exitCode === null) process.kill(-pid, 'SIGKILL');
      guardian.forgetGroup(pid);
    }
  }
}

function exported(variables: Variables): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}='${value}'\n`)
    .join('');
}
