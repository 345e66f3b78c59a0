import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../fleet/programs';

/** A file of test/e2e or test/long in backquotes, a colon, and the name of a test up to the end of the bracket, cell or item. */
const REFERENCE = /`([a-z0-9-]+)`: ((?:[^()|;`]|\([^()]*\))+)/g;
const text = readFileSync(join(ROOT, 'docs/SECURITY.md'), 'utf8').replaceAll(/\n\s+/g, ' ');
const NAMED = [...text.matchAll(REFERENCE)].map(([, file, name]) => [file, name.trim()] as const);

describe('docs/SECURITY.md', () => {
  it('names tests', () => expect(NAMED.length).toBeGreaterThan(30));

  it.each(NAMED)('names one that exists: %s: %s', (file, name) => {
    const paths = ['e2e', 'long'].map((part) => join(ROOT, `test/${part}/${file}.e2e.ts`)).filter(existsSync);
    expect(paths.map((path) => readFileSync(path, 'utf8')).join('\n')).toContain(name);
  });
});
