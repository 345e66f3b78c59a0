import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The root of the checkout, found from this file also where it was compiled. */
export const ROOT = rootAbove(__dirname);

/** Paths of the compiled programs of one version. */
export interface Programs {
  readonly server: string;
  readonly client: string;
  readonly cli: string;
}

/** The compiled programs; `npm run build` makes them. */
export const PROGRAMS: Programs = {
  server: join(ROOT, 'dist/apps/dms-server/src/main.js'),
  client: join(ROOT, 'dist/apps/dms-client/src/main.js'),
  cli: join(ROOT, 'dist/apps/dms-client/src/cli/main.js'),
};

function rootAbove(directory: string): string {
  if (existsSync(join(directory, 'nest-cli.json'))) return directory;
  if (directory === dirname(directory)) throw new Error('The root of the checkout was not found');
  return rootAbove(dirname(directory));
}
