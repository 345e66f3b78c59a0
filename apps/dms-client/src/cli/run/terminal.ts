import { readFileSync } from 'node:fs';

/**
 * Whether this process is in the foreground of its terminal, by proc(5): then ctrl-C and ctrl-\ reach the whole process
 * group, the command of `dms run` included. Standard input says nothing of that: it may be a pipe.
 */
export function isInForeground(): boolean {
  try {
    return foregroundIn(readFileSync('/proc/self/stat', 'utf8'));
  } catch {
    return false;
  }
}

/** @param stat text of /proc/<pid>/stat, whose second field may hold anything */
export function foregroundIn(stat: string): boolean {
  const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return terminal !== '0' && group === foreground;
}
