import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../fleet/programs';

const PACKAGE = join(ROOT, 'libs/client');
export const CLIENT_README = join(PACKAGE, 'README.md');

/** The client package's README with its examples as they stand in their files, which the tests run. */
export function clientReadme(): string {
  return readFileSync(CLIENT_README, 'utf8').replace(
    /(<!-- (examples\/[\w-]+\.ts) -->\n```ts\n)[^]*?(```)/g,
    (_, begin: string, file: string, end: string) =>
      `${begin}${readFileSync(join(PACKAGE, file), 'utf8')}${end}`,
  );
}
