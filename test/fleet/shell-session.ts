import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandResult, guardian, OWNER_VARIABLE, waitFor } from '../rig';

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

  /** @param variables are set in the shell before, and stay */
  async run(
    command: string,
    timeoutMs: number,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> {
    this.#count += 1;
    const file = join(this.directory, String(this.#count));
    const settings = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'\n`);
    await writeFile(`${file}.sh`, `${settings.join('')}${command}\n`);
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
