import { readFileSync } from 'node:fs';

/**
 * Lines of the kernel's mount table with a mountpoint at or below `path`; no mount is touched. A directory that is
 * mounted on itself is none: so dms-server keeps one locked while it changes it, or for good where there is no other way.
 *
 * @param table text of a mountinfo; default: this process's own
 */
export function mountsBelow(path: string, table = readFileSync('/proc/self/mountinfo', 'utf8')): string[] {
  const lines = table.split('\n');
  const devices = new Map(lines.map((line) => line.split(' ')).map(([id, , device]) => [id, device]));
  return lines.filter((line) => {
    const [, parent = '', device, root = '', mountpoint = ''] = line.split(' ');
    const isOnItself = root !== '/' && devices.get(parent) === device && mountpoint.endsWith(root);
    return !isOnItself && (mountpoint === path || mountpoint.startsWith(`${path}/`));
  });
}
