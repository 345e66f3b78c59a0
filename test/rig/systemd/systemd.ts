import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Child } from '../support/child';
import { type CommandResult, runCommand } from '../support/command';
import { makeDirectory } from '../support/directory';
import { cleanEnvironment } from '../support/environment';
import { waitFor } from '../support/wait';
import { SYSTEMD_SCRIPT } from './systemd-script';

const PROGRAM = '/lib/systemd/systemd';
const START_MS = 20_000;
const COMMAND_MS = 30_000;

/** What is missing for a private systemd on this machine, as a sentence; null where nothing is. */
export function missingForSystemd(): string | null {
  if (process.getuid?.() !== 0) return 'A private systemd needs root.';
  if (!existsSync(PROGRAM)) return 'systemd is not installed (package systemd).';
  return cgroupRoot() === null ? 'A private systemd needs cgroup2, which is not mounted here.' : null;
}

/**
 * A real systemd as the first process of namespaces of its own, which knows no units but those that a test writes: it
 * sees the machine's files and network, and what it mounts or starts ends with it. None of the machine's own units may
 * ever be loaded there: some of them empty directories.
 */
export class Systemd {
  private constructor(
    private readonly child: Child,
    private readonly units: string,
    private readonly cgroup: string,
    /** The first process, by its number on this machine. */
    readonly pid: number,
  ) {}

  /** @param directory is made, and gets the units and the log */
  static async start(directory: string): Promise<Systemd> {
    await makeDirectory(directory);
    const units = join(directory, 'units');
    await mkdir(units);
    for (const unit of ['lab.target', 'shutdown.target', 'exit.target', 'system.slice']) {
      await writeFile(join(units, unit), '[Unit]\nDefaultDependencies=no\n');
    }
    const cgroup = join(cgroupRoot() ?? '', `dms-lab-${randomUUID()}`);
    await mkdir(cgroup);
    const child = await Child.start({
      name: 'systemd',
      command: '/bin/sh',
      args: ['-c', SYSTEMD_SCRIPT, 'sh', cgroup, units],
      directory,
      logFile: join(directory, 'systemd.log'),
      environment: cleanEnvironment(),
    });
    try {
      const pid = await waitFor(() => childOf(child.pid), { timeoutMs: START_MS, what: 'systemd to begin' });
      const systemd = new Systemd(child, units, cgroup, pid);
      await waitFor(async () => (await systemd.control('is-system-running')).stdout.trim() === 'running', {
        timeoutMs: START_MS,
        what: 'systemd to run',
      });
      return systemd;
    } catch (error) {
      await child.kill();
      await removeCgroup(cgroup);
      throw error;
    }
  }

  /** Where a path of this machine, with what is mounted there inside, is to be found from outside. */
  inside(path: string): string {
    return join(`/proc/${this.pid}/root`, path);
  }

  /** Writes a unit, or a part of one (`NAME.service.d/PART.conf`), and makes it known. */
  async define(name: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.units, name)), { recursive: true });
    await writeFile(join(this.units, name), text);
    await this.control('daemon-reload');
  }

  /** The processes of a cgroup as units name it (`/system.slice/…`), by their numbers on this machine. */
  processesIn(cgroup: string): number[] {
    return readFileSync(join(this.cgroup, cgroup, 'cgroup.procs'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
  }

  /** systemctl(1); what it answers with its status is in the answer. */
  async control(...words: string[]): Promise<CommandResult> {
    return this.run('systemctl', '--no-pager', ...words);
  }

  /** Runs a command inside. */
  async run(...words: string[]): Promise<CommandResult> {
    const args = ['--target', String(this.pid), '--mount', '--pid', '--', ...words];
    return runCommand('nsenter', args, { timeoutMs: COMMAND_MS, expected: [1, 2, 3, 4, 5] });
  }

  /** Ends it with all that runs and is mounted inside. */
  async stop(): Promise<void> {
    if (this.child.running) process.kill(this.pid, 'SIGKILL');
    await this.child.stop();
    await removeCgroup(this.cgroup);
  }
}

async function childOf(parent: number): Promise<number | null> {
  const children = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8').catch(() => '');
  const pid = Number(children.split(' ')[0]);
  if (pid === 0) return null;
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  return name.trim() === 'systemd' ? pid : null;
}

function cgroupRoot(): string | null {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((entry) => entry.includes(' - cgroup2 '));
  return line?.split(' ')[4] ?? null;
}

/** Removes a cgroup and those below it, as soon as their processes are gone. */
async function removeCgroup(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(join(path, entry.name));
  }
  const removed = (): Promise<boolean> =>
    rmdir(path).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
    );
  await waitFor(removed, { timeoutMs: COMMAND_MS, what: `the cgroup ${path} to be empty` });
}
