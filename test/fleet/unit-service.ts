import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Systemd, waitFor } from '../rig';
import { ROOT } from './programs';

export interface UnitServiceOptions {
  /** Its file is `systemd/NAME.service`. */
  readonly name: 'dms-server' | 'dms-client';
  /** Gets the settings and the log. */
  readonly directory: string;
  /** What stands in the unit's environment file. */
  readonly environment: Readonly<Record<string, string>>;
  /** Further lines of its section [Service]; they stand after those of the file. */
  readonly lines?: readonly string[];
  /** Path of `dist` to the program. */
  readonly program: string;
  /** Where it says that it is ready. */
  readonly readyUrl: string;
}

const READY_MS = 30_000;

/** One of the project's own units in a private systemd: the file as it is, its places set to those of the test. */
export class UnitService {
  constructor(
    private readonly systemd: Systemd,
    private readonly options: UnitServiceOptions,
  ) {}

  get unit(): string {
    return `${this.options.name}.service`;
  }

  /** Makes the unit known; nothing is started. */
  async define(): Promise<void> {
    const { name, directory, environment, lines = [], program } = this.options;
    const settings = join(directory, `${name}.env`);
    const text = Object.entries(environment).map(([key, value]) => `${key}="${value}"\n`);
    writeFileSync(settings, text.join(''), { mode: 0o600 });
    await this.systemd.define(this.unit, readFileSync(join(ROOT, 'systemd', this.unit), 'utf8'));
    await this.systemd.define(
      `${this.unit}.d/test.conf`,
      [
        '[Unit]',
        // The private systemd has no sysinit.target.
        'DefaultDependencies=no',
        '[Service]',
        'ExecStart=',
        `ExecStart=${process.execPath} ${program}`,
        'EnvironmentFile=',
        `EnvironmentFile=${settings}`,
        ...['Output', 'Error'].map((stream) => `Standard${stream}=append:${this.logFile}`),
        ...lines,
        '',
      ].join('\n'),
    );
  }

  /** `start`, `restart`, … and then waits until it says that it is ready. */
  async make(...verb: string[]): Promise<void> {
    await this.systemd.control(...verb, this.unit);
    try {
      await waitFor(() => this.ready(), { timeoutMs: READY_MS, what: `${this.unit} to be ready` });
    } catch (error) {
      const { stdout } = await this.systemd.control('status', this.unit);
      throw new Error(`${String(error)}\n${stdout}${this.log.slice(-2000)}`, { cause: error });
    }
  }

  /** Number of the main process on this machine. */
  async pid(): Promise<number> {
    const { stdout } = await this.systemd.control('show', '--property=ControlGroup', this.unit);
    const cgroup = stdout.trim().replace('ControlGroup=', '');
    const inner = Number(
      (await this.systemd.control('show', '--property=MainPID', '--value', this.unit)).stdout,
    );
    const found = this.systemd.processesIn(cgroup).find((pid) => numberInside(pid) === inner);
    if (found === undefined) throw new Error(`${this.unit} has no main process`);
    return found;
  }

  get log(): string {
    try {
      return readFileSync(this.logFile, 'utf8');
    } catch {
      return '(no log)';
    }
  }

  private get logFile(): string {
    return join(this.options.directory, `${this.options.name}.log`);
  }

  private async ready(): Promise<boolean> {
    try {
      return (await fetch(this.options.readyUrl, { signal: AbortSignal.timeout(5_000) })).ok;
    } catch {
      return false;
    }
  }
}

/** The number of a process in its own PID namespace. */
function numberInside(pid: number): number {
  const numbers = /^NSpid:(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  return Number(numbers.trim().split(/\s+/).at(-1));
}
