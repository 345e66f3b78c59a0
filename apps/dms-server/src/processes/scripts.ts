import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where the shell scripts stand below the package's root, in a checkout as in an installed package. */
const SCRIPTS = join('apps', 'dms-server', 'bin');

/**
 * Path of one of dms-server's shell scripts, found from the sources as well as from `dist/`: the nearest directory
 * above this file that holds `apps/dms-server/bin`.
 */
export function scriptPath(name: string): string {
  for (let directory = __dirname; directory !== dirname(directory); directory = dirname(directory)) {
    const path = join(directory, SCRIPTS, name);
    if (existsSync(path)) return path;
  }
  throw new Error(`${join(SCRIPTS, name)} is missing from this installation`);
}
