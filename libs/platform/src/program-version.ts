import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Version of the program, from the nearest package.json above this file. */
export function programVersion(): string {
  for (let directory = __dirname; ; directory = dirname(directory)) {
    try {
      const { version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
        version?: string;
      };
      if (version !== undefined) return version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    if (directory === dirname(directory)) return 'unknown';
  }
}
