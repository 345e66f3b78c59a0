import { readFile } from 'node:fs/promises';

/** One line of /proc/self/mountinfo (proc(5)). */
export interface MountEntry {
  readonly id: number;
  readonly parent: number;
  /** `major:minor` */
  readonly device: string;
  readonly path: string;
}

/** The mount table of this process. Reading it touches no mount, so that it cannot hang. */
export async function readMountTable(): Promise<MountEntry[]> {
  return parseMountTable(await readFile('/proc/self/mountinfo', 'utf8'));
}

export function parseMountTable(text: string): MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id, parent, device, , path] = line.split(' ');
      return { id: Number(id), parent: Number(parent), device, path: unescaped(path) };
    });
}

/**
 * The mount that a look at `path` ends in. The kernel goes down from the root and takes each mount that it comes upon,
 * so that of two mounts the one nearer to the root hides the other.
 *
 * @param path absolute, normal, without symbolic links
 */
export function mountOf(path: string, table: readonly MountEntry[]): MountEntry | null {
  const ids = new Set(table.map(({ id }) => id));
  let current = table.find(({ id, parent, path: at }) => at === '/' && (!ids.has(parent) || parent === id));
  for (;;) {
    const above: MountEntry | undefined = current;
    const next = table
      .filter(({ id, parent, path: at }) => parent === above?.id && id !== above.id && holds(at, path))
      .sort((a, b) => a.path.length - b.path.length)
      .at(0);
    if (next === undefined) return above ?? null;
    current = next;
  }
}

function holds(mountpoint: string, path: string): boolean {
  return path === mountpoint || path.startsWith(mountpoint === '/' ? '/' : `${mountpoint}/`);
}

/** Space, tab, newline and backslash stand as octal numbers in the table. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
