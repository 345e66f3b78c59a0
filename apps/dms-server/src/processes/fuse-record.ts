import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileNameOf } from '@app/contracts';
import { parseIdentity, type ProcessIdentity } from './process-identity';

/** What the supervisor keeps at most of a log, and a little more. */
const MAX_LOG_BYTES = 512 * 1024;

/** What is known of a daemon beside its pid. */
export interface FuseTarget {
  readonly targetId: string;
  readonly mountPath: string;
}

/** The directory `<run directory>/fuse/<target>` in which fuse-supervisor.sh keeps what it knows of one daemon. */
export class FuseRecord {
  readonly directory: string;

  constructor(runDir: string, targetId: string) {
    this.directory = join(recordsIn(runDir), fileNameOf(targetId));
  }

  /** Makes it anew, without anything of an earlier daemon. */
  async create(target: FuseTarget): Promise<void> {
    await this.remove();
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    await writeFile(join(this.directory, 'target'), JSON.stringify(target), { mode: 0o600 });
  }

  /** Null where there is no record of a daemon, or none that can be read. */
  async target(): Promise<FuseTarget | null> {
    return parseTarget(await this.#text('target'));
  }

  /** Null until the daemon is about to run. */
  async identity(): Promise<ProcessIdentity | null> {
    return parseIdentity(await this.#text('daemon'));
  }

  /** Exit status as the shell has it (128 + N after signal N); null while it runs, or where nobody saw its end. */
  async exitStatus(): Promise<number | null> {
    const match = /^(\d{1,3}) \d+\n$/.exec(await this.#text('exit'));
    return match === null ? null : Number(match[1]);
  }

  /** True once all that the daemon said is in the log. */
  async isDrained(): Promise<boolean> {
    return (await this.#bytes('drained')) !== null;
  }

  /** True if it said so much that its oldest words are lost. */
  async isLogCut(): Promise<boolean> {
    return (await this.#bytes('cut')) !== null;
  }

  /** The newest of what the daemon said, oldest first. */
  async log(): Promise<string> {
    return (await this.#text('log.1')) + (await this.#text('log'));
  }

  async remove(): Promise<void> {
    // The supervisor may write a last line while the directory is being emptied.
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }

  async #text(name: string): Promise<string> {
    return (await this.#bytes(name))?.toString('utf8') ?? '';
  }

  /** Null where there is no such file. */
  async #bytes(name: string): Promise<Buffer | null> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    const file = await open(join(this.directory, name), flags).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (file === null) return null;
    try {
      const size = Math.min((await file.stat()).size, MAX_LOG_BYTES);
      const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(size) });
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }
}

/** All daemons that there is a record of. */
export async function listFuseTargets(runDir: string): Promise<FuseTarget[]> {
  const directory = recordsIn(runDir);
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const targets = await Promise.all(
    names.map(async (name) =>
      parseTarget(await readFile(join(directory, name, 'target'), 'utf8').catch(() => '')),
    ),
  );
  return targets.filter((target) => target !== null);
}

/** The directory of all records. A supervisor touches it when its daemon has ended. */
export function recordsIn(runDir: string): string {
  return join(runDir, 'fuse');
}

function parseTarget(text: string): FuseTarget | null {
  try {
    const target = JSON.parse(text) as Partial<FuseTarget> | null;
    return typeof target?.targetId === 'string' && typeof target.mountPath === 'string'
      ? { targetId: target.targetId, mountPath: target.mountPath }
      : null;
  } catch {
    return null; // torn by a crash, or not there
  }
}
