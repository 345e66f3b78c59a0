import { readFileSync } from 'node:fs';

/**
 * Lines of the kernel's mount table with a mountpoint at or below `path`; no mount is touched. A directory that covers
 * itself read-only is none: so dms-server keeps one locked while it changes it, or for good where there is no other way.
 */
export function mountsBelow(path: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => {
      const [, , , root = '', mountpoint = '', options = ''] = line.split(' ');
      const isCover = root !== '/' && mountpoint.endsWith(root) && options.split(',').includes('ro');
      return !isCover && (mountpoint === path || mountpoint.startsWith(`${path}/`));
    });
}
