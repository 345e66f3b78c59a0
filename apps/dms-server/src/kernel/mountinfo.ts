import { type MountEntry } from './mount-table.interface';

/** Appended by the kernel where the directory was removed; a normal path holds no `//`. */
const DELETED = '//deleted';

/**
 * The entries of a mountinfo text (proc_pid_mountinfo(5)), in its order. A line that is not whole, as at the end of
 * a text that was cut, is passed over.
 */
export function parseMountinfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of linesOf(text)) {
    const entry = parseMountinfoLine(line);
    if (entry !== null) entries.push(entry);
  }
  return entries;
}

/** As {@link parseMountinfo}, only the layers exactly at `path`: of a long table no other line is taken apart. */
export function parseLayersAt(text: string, path: string): MountEntry[] {
  const field = ` ${escapeField(path)}`;
  const entries: MountEntry[] = [];
  for (const line of linesOf(text)) {
    if (!line.includes(field)) continue;
    const entry = parseMountinfoLine(line);
    if (entry?.mountPath === path) entries.push(entry);
  }
  return entries;
}

/** The entry with that id, null where there is none. */
export function parseEntry(text: string, mntId: number): MountEntry | null {
  const start = text.startsWith(`${mntId} `) ? 0 : text.indexOf(`\n${mntId} `) + 1;
  if (start === 0 && !text.startsWith(`${mntId} `)) return null;
  return parseMountinfoLine(text.slice(start, text.indexOf('\n', start)));
}

/** One line, or null where it is none. */
export function parseMountinfoLine(line: string): MountEntry | null {
  // A variable number of optional fields ends in a lone "-"; the type, source and super options follow it.
  const separator = line.indexOf(' - ');
  if (separator < 0) return null;
  const [mntId, parentId, device, root, mountPoint, options] = line.slice(0, separator).split(' ');
  const [fstype, source, superOptions] = line.slice(separator + 3).split(' ');
  if (options === undefined || superOptions === undefined) return null;
  const deleted = mountPoint.endsWith(DELETED);
  return {
    mntId: Number(mntId),
    parentId: Number(parentId),
    device,
    root: unescapeField(root),
    mountPath: unescapeField(deleted ? mountPoint.slice(0, -DELETED.length) : mountPoint),
    deleted,
    options: options.split(','),
    fstype: unescapeField(fstype),
    source: unescapeField(source),
    superOptions: superOptions.split(',').map(unescapeField),
  };
}

/** The kernel writes a byte that would break the line as a backslash and three octal digits. */
export function unescapeField(field: string): string {
  if (!field.includes('\\')) return field;
  return field.replace(/\\([0-7]{3})/g, (_match, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

function escapeField(text: string): string {
  return text.replace(
    /[ \t\n\\]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
}

function* linesOf(text: string): Generator<string> {
  let start = 0;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
    yield text.slice(start, end);
    start = end + 1;
  }
}
