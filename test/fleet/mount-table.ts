import { readFileSync } from 'node:fs';

/** Lines of the kernel's mount table with a mountpoint at or below `path`; no mount is touched. */
export function mountsBelow(path: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => {
      const mountpoint = line.split(' ')[4] ?? '';
      return mountpoint === path || mountpoint.startsWith(`${path}/`);
    });
}
