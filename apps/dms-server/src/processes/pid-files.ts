import { constants } from 'node:fs';
import { open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileNameOf } from '@app/contracts';

const SUFFIX = '.pid';
const MAX_BYTES = 32;

/** The PID files of the FUSE processes, `<directory>/<target id>.pid`; operators read, and sometimes write, them. */
export class PidFiles {
  constructor(private readonly directory: string) {}

  pathOf(targetId: string): string {
    return join(this.directory, `${fileNameOf(targetId)}${SUFFIX}`);
  }

  /** The pid in the file; null where there is no file or it holds anything else. Symbolic links are not followed. */
  async read(targetId: string): Promise<number | null> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await open(this.pathOf(targetId), flags).catch(() => null);
    if (file === null) return null;
    try {
      const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(MAX_BYTES + 1) });
      const match = /^\s*(\d{1,10})\s*$/.exec(buffer.toString('latin1', 0, bytesRead));
      const pid = Number(match?.[1]);
      return bytesRead <= MAX_BYTES && pid > 1 ? pid : null;
    } catch {
      return null; // a directory, say
    } finally {
      await file.close();
    }
  }

  /** Target ids (for long ids: their hashes) that have a file. */
  async list(): Promise<string[]> {
    const names = await readdir(this.directory).catch(() => []);
    return names
      .filter((name) => name.endsWith(SUFFIX) && !name.startsWith('.'))
      .map((name) => name.slice(0, -SUFFIX.length));
  }

  /** @returns false if there was none, or it is no file that can be removed */
  async remove(targetId: string): Promise<boolean> {
    return unlink(this.pathOf(targetId)).then(
      () => true,
      () => false,
    );
  }
}
