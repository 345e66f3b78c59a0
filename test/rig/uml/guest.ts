import { randomUUID } from 'node:crypto';
import { constants, existsSync, readFileSync } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from '../support/child';
import { runCommand } from '../support/command';
import { cleanEnvironment } from '../support/environment';
import { guardian } from '../support/guardian';
import { groupMembers, signalGroup } from '../support/processes';
import { waitFor } from '../support/wait';
import { GUEST_INIT, READY_LINE, RUN_KERNEL, RUN_NETWORK } from './guest-script';
import { fpStateLibrary, kernelCommand, memoryDirectory } from './kernel';

export interface GuestOptions {
  /** Its host name: letters, digits and dashes. */
  readonly name: string;
  /** Made if missing; shared with the guest under the same path. It may hold no blank and no comma. */
  readonly directory: string;
  readonly memoryMb?: number;
}

/** What a script came to in a guest. */
export interface GuestResult {
  readonly status: number;
  /** Standard output and standard error. */
  readonly output: string;
}

const MEMORY_MB = 768;
const BOOT_TIMEOUT_MS = 60_000;
const POLL_MS = 10;

/**
 * A machine of its own kernel (User-Mode Linux, 6.1) over this machine's files: it has NFS and FUSE whatever this one's
 * kernel has, its own processes, mounts and network, and can be frozen, cut off and robbed of its power.
 *
 * It sees this machine's files read-only, but for its directory, and reaches what listens on 127.0.0.1 here at
 * `HOST_ADDRESS`; nothing reaches it.
 */
export class Guest {
  #child: Child | null = null;

  constructor(private readonly options: GuestOptions) {
    if (/[\s,]/.test(options.directory)) throw new Error(`No guest can share ${options.directory}`);
  }

  get directory(): string {
    return this.options.directory;
  }

  /** Where the console's output goes, kernel messages included. */
  get consoleFile(): string {
    return join(this.directory, 'console.out');
  }

  get running(): boolean {
    return this.#child?.running ?? false;
  }

  /** Resolves when it takes commands. */
  async start(): Promise<void> {
    const { directory } = this;
    const { name, memoryMb = MEMORY_MB } = this.options;
    await mkdir(join(directory, 'uml'), { recursive: true });
    const paths = { init: join(directory, 'init'), network: join(directory, 'network') };
    await writeFile(paths.init, GUEST_INIT, { mode: 0o755 });
    await writeFile(paths.network, RUN_NETWORK, { mode: 0o755 });
    await rm(this.#consoleInput, { force: true });
    await rm(this.#networkFile, { force: true });
    await runCommand('mkfifo', [this.#consoleInput], { timeoutMs: 10_000 });
    const child = await Child.start({
      name: `guest ${name}`,
      command: '/bin/sh',
      args: [
        '-c',
        RUN_KERNEL,
        this.#consoleInput,
        ...kernelCommand({ name, share: directory, ...paths, memoryMb }),
      ],
      directory,
      logFile: this.consoleFile,
      environment: cleanEnvironment({
        HOME: directory,
        TMPDIR: memoryDirectory(memoryMb, directory),
        LD_PRELOAD: await fpStateLibrary(directory),
      }),
    });
    this.#child = child;
    await waitFor(
      async () => {
        if (!child.running) throw new Error(`${child.name} ${child.outcome}:\n${await child.logTail()}`);
        return existsSync(this.#networkFile) && (await child.log()).includes(READY_LINE);
      },
      { timeoutMs: BOOT_TIMEOUT_MS, what: `guest ${name} to boot`, intervalMs: POLL_MS },
    );
    guardian.watchGroup(this.#networkPid());
  }

  /**
   * Runs a shell script as root in the guest, and gives its status and what it said. Several can run at once.
   *
   * @throws Error if it takes longer than `timeoutMs` (it then goes on), or the guest has ended
   */
  async run(script: string, timeoutMs = 30_000): Promise<GuestResult> {
    const name = `run-${randomUUID()}`;
    const base = join(this.directory, name);
    await writeFile(`${base}.sh`, script);
    await this.#type(`${name}\n`);
    await waitFor(
      () => {
        if (!this.running) throw new Error(`guest ${this.options.name} has ended`);
        return existsSync(`${base}.status`);
      },
      {
        timeoutMs,
        what: `the end of a script in guest ${this.options.name}: ${script}`,
        intervalMs: POLL_MS,
      },
    );
    const status = Number(await readFile(`${base}.status`, 'utf8'));
    const output = await readFile(`${base}.out`, 'utf8');
    for (const ending of ['sh', 'out', 'status']) await rm(`${base}.${ending}`);
    return { status, output };
  }

  /** Freezes the kernel and all that runs on it; its connections stand, and nothing is read from them. */
  pause(): void {
    process.kill(this.#mustChild().pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.#mustChild().pid, 'SIGCONT');
  }

  /** The guest runs on; no packet goes in or out, and no connection is closed. */
  cutNetwork(): void {
    signalGroup(this.#networkPid(), 'SIGSTOP');
  }

  restoreNetwork(): void {
    signalGroup(this.#networkPid(), 'SIGCONT');
  }

  /** What was not written is lost, and nobody is told: its connections stay open until `stop`. */
  async cutPower(): Promise<void> {
    this.cutNetwork();
    await this.#mustChild().kill();
  }

  /** Ends it with all its processes, at once. */
  async stop(): Promise<void> {
    if (this.#child === null) return;
    // A guest that did not get so far has no network.
    const network = existsSync(this.#networkFile) ? this.#networkPid() : null;
    await this.#child.kill();
    if (network !== null) endNetwork(network);
    this.#child = null;
  }

  /** The end of what stands on its console, for a person. */
  async consoleTail(lines?: number): Promise<string> {
    return this.#child === null ? '(not running)' : await this.#child.logTail(lines);
  }

  get #consoleInput(): string {
    return join(this.directory, 'console.in');
  }

  /** Without waiting: where nobody reads the console any more, this fails instead of hanging. */
  async #type(text: string): Promise<void> {
    const console = await open(this.#consoleInput, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      await console.write(text);
    } finally {
      await console.close();
    }
  }

  #mustChild(): Child {
    if (this.#child?.running !== true) throw new Error(`guest ${this.options.name} is not running`);
    return this.#child;
  }

  get #networkFile(): string {
    return join(this.directory, 'network.pid');
  }

  /** Number of the process that carries the network, and of its group. */
  #networkPid(): number {
    return Number(readFileSync(this.#networkFile, 'utf8'));
  }
}

function endNetwork(group: number): void {
  if (groupMembers(group).length > 0) signalGroup(group, 'SIGKILL');
  guardian.forgetGroup(group);
}
