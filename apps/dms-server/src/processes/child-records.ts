import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { livingGroup, parseIdentity, type ProcessIdentity } from './process-identity';

/** A record that stays empty for this long belongs to a child that never came to write it. */
const EMPTY_RECORD_MS = 5_000;

/** Whether the process group of a record lives; `starting`: its pid is not on record yet. */
export type RecordedChild =
  | { readonly kind: 'gone' }
  | { readonly kind: 'starting' }
  | { readonly kind: 'lives'; readonly leader: ProcessIdentity };

/** The files `<run directory>/children/<target>.<random>`: one for each child that runs, written before it starts. */
export class ChildRecords {
  readonly #directory: string;

  constructor(runDir: string) {
    this.#directory = join(runDir, 'children');
  }

  /** Makes an empty record, to be filled in by the child itself, and gives its path. */
  async create(targetId: string): Promise<string> {
    const path = join(this.#directory, `${prefixOf(targetId)}${randomUUID()}`);
    const make = async (): Promise<void> => (await open(path, 'wx', 0o600)).close();
    await make().catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await make();
    });
    return path;
  }

  /** Paths of all records, or of those of one target. */
  async list(targetId?: string): Promise<string[]> {
    const prefix = targetId === undefined ? '' : prefixOf(targetId);
    const names = await readdir(this.#directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return names.filter((name) => name.startsWith(prefix)).map((name) => join(this.#directory, name));
  }

  /** Looks whether any process of that record's group lives. */
  async look(path: string): Promise<RecordedChild> {
    try {
      const text = await readFile(path, 'utf8');
      const leader = parseIdentity(text);
      if (leader !== null) {
        return (await livingGroup(leader)).length > 0 ? { kind: 'lives', leader } : { kind: 'gone' };
      }
      const ageMs = Date.now() - (await stat(path)).mtimeMs;
      return text === '' && ageMs < EMPTY_RECORD_MS ? { kind: 'starting' } : { kind: 'gone' };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'gone' };
      throw error;
    }
  }

  async remove(path: string): Promise<void> {
    await unlink(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

/** Ids may be longer than a file name and may hold anything. */
function prefixOf(targetId: string): string {
  return `${createHash('sha256').update(targetId).digest('hex').slice(0, 32)}.`;
}
