import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseStat, type ProcessIdentity } from '../processes/process-identity';

/** Another dms-server works on this run directory. */
export class ServerLockedError extends Error {}

/**
 * `<run>/server.lock`: one dms-server for one run directory, and so for one node id.
 *
 * Node has no flock without a native module. The file is made complete under another name and then linked, which
 * fails if it is there; its holder is the process of that pid and start time in this boot. A lock whose holder is gone
 * is moved away first, and looked at again then: who moved away a living one puts it back.
 */
export class ServerLock {
  readonly #path: string;
  readonly #own: string;
  readonly #text: string;

  private constructor(
    runDir: string,
    private readonly bootId: string,
  ) {
    const holder: ProcessIdentity = { pid: process.pid, startTime: startTimeOf(process.pid) ?? 0, bootId };
    this.#path = join(runDir, 'server.lock');
    this.#own = `${this.#path}.${process.pid}`;
    this.#text = `${JSON.stringify(holder)}\n`;
  }

  /** @throws ServerLockedError that names the process that has it */
  static acquire(runDir: string, bootId: string): ServerLock {
    mkdirSync(runDir, { recursive: true, mode: 0o755 });
    const lock = new ServerLock(runDir, bootId);
    lock.#acquire();
    return lock;
  }

  /** Gives the lock back; it stays where somebody else has taken it. */
  release(): void {
    if (this.#read() === this.#text) rmSync(this.#path, { force: true });
  }

  #acquire(): void {
    writeFileSync(this.#own, this.#text, { mode: 0o644 });
    try {
      for (let attempt = 0; attempt < 3; attempt += 1) {
        if (this.#link()) return;
        const found = this.#read();
        if (found === null) continue;
        this.#refuseIfAlive(found);
        this.#moveAway(found);
      }
      throw new ServerLockedError(`${this.#path} is being taken by others at the same time`);
    } finally {
      rmSync(this.#own, { force: true });
    }
  }

  #link(): boolean {
    try {
      linkSync(this.#own, this.#path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  #refuseIfAlive(text: string): void {
    const holder = parse(text);
    if (holder === null || holder.bootId !== this.bootId) return;
    if (startTimeOf(holder.pid) !== holder.startTime) return;
    throw new ServerLockedError(
      `dms-server is running already on this run directory, as process ${holder.pid} (${this.#path}). ` +
        'Several nodes on one machine need a DMS_RUN_DIR each.',
    );
  }

  /** Between the look and the move another starter may have taken the lock: then it gets it back. */
  #moveAway(expected: string): void {
    const aside = `${this.#own}.stale`;
    try {
      renameSync(this.#path, aside);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    try {
      if (readFileSync(aside, 'utf8') !== expected) linkSync(aside, this.#path);
    } finally {
      rmSync(aside, { force: true });
    }
  }

  #read(): string | null {
    try {
      return readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }
}

function parse(text: string): ProcessIdentity | null {
  try {
    const holder = JSON.parse(text) as Partial<ProcessIdentity>;
    return Number.isInteger(holder.pid) ? (holder as ProcessIdentity) : null;
  } catch {
    // A lock that cannot be read is nobody's: it is linked into place complete.
    return null;
  }
}

/** Clock ticks since the boot; null where there is no such process. */
function startTimeOf(pid: number): number | null {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.startTime ?? null;
  } catch {
    return null;
  }
}
