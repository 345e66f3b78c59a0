import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from '../support/child';
import { type CommandResult, runCommand } from '../support/command';
import { makeDirectory } from '../support/directory';
import { cleanEnvironment } from '../support/environment';
import { waitFor } from '../support/wait';
import { HOST_SCRIPT, RUN_ROOT } from './host-script';

const PROGRAMS = ['/usr/bin/podman', '/usr/bin/crun', '/usr/sbin/debootstrap'];
const START_MS = 20_000;
const COMMAND_MS = 60_000;

/**
 * What is not done by this engine as by others: cgroups need rights that a machine for tests may not have, so that
 * containers are known by their processes alone. Limits are not raised, for the same reason.
 */
const SETTINGS = `[containers]
cgroups = "disabled"
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
`;

/** What is missing for containers on this machine, as a sentence; null where nothing is. */
export function missingForContainers(): string | null {
  if (process.getuid?.() !== 0) return 'Containers need root.';
  const missing = PROGRAMS.filter((program) => !existsSync(program));
  if (missing.length > 0)
    return `Containers need the Debian packages podman, crun and debootstrap (${missing.join()}).`;
  return null;
}

/** A host of its own for containers: process numbers, mounts and images end with it, the network is the machine's. */
export class ContainerHost {
  private constructor(
    private readonly child: Child,
    /** On a shared mount in the host. */
    readonly directory: string,
    /** Its first process, by its number on this machine. */
    readonly pid: number,
  ) {}

  /** @param directory is made; gets images, containers and the log */
  static async start(directory: string): Promise<ContainerHost> {
    await makeDirectory(directory);
    await writeFile(join(directory, 'containers.conf'), SETTINGS);
    await mkdir(join(directory, 'shared'), { mode: 0o755 });
    const child = await Child.start({
      name: 'container host',
      command: '/bin/sh',
      args: ['-c', HOST_SCRIPT, 'sh', join(directory, 'shared')],
      directory,
      logFile: join(directory, 'host.log'),
      environment: cleanEnvironment(),
    });
    await waitFor(() => existsSync(join(directory, 'shared/host-is-ready')) || !child.running, {
      timeoutMs: START_MS,
      what: 'the host for containers',
    });
    if (!child.running) throw new Error(`The host for containers did not start:\n${await child.logTail()}`);
    const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ')[0]);
    return new ContainerHost(child, join(directory, 'shared'), pid);
  }

  /** Where a path of the host, with what is mounted there, is to be found from outside. */
  inside(path: string): string {
    return join(`/proc/${this.pid}/root`, path);
  }

  /** The words of a command, to be run on the host. */
  words(...words: string[]): string[] {
    return ['nsenter', `--target=${this.pid}`, '--mount', '--pid', '--', ...words];
  }

  /** Runs a command on the host; `expected` are statuses that are an answer. */
  async run(
    words: readonly string[],
    timeoutMs = COMMAND_MS,
    expected: number[] = [],
  ): Promise<CommandResult> {
    const [command, ...args] = this.words(...words);
    return runCommand(command, args, {
      timeoutMs,
      expected,
      directory: this.directory,
      environment: cleanEnvironment({
        CONTAINERS_CONF: join(this.directory, '../containers.conf'),
        HOME: '/root',
      }),
    });
  }

  /** podman(1). */
  async podman(
    words: readonly string[],
    timeoutMs = COMMAND_MS,
    expected: number[] = [],
  ): Promise<CommandResult> {
    const place = join(this.directory, '../storage');
    const options = ['--root', join(place, 'root'), '--runroot', RUN_ROOT, '--storage-driver', driver()];
    return this.run(['podman', ...options, ...words], timeoutMs, expected);
  }

  /** Ends it with all that runs and is mounted on it. */
  async stop(): Promise<void> {
    if (this.child.running) process.kill(this.pid, 'SIGKILL');
    await this.child.stop();
  }
}

/** With overlays a layer of an image costs what is new in it, else a whole copy. */
function driver(): string {
  return readFileSync('/proc/filesystems', 'utf8').includes('\toverlay\n') ? 'overlay' : 'vfs';
}
