import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAILURES } from '../failures/failures';
import { ROOT } from '../fleet/programs';

const TESTS = FAILURES.flatMap(({ shownBy }) => shownBy.map(({ file, test }) => [file, test] as const));

describe('the table of failures', () => {
  it('has a test for each row', () => {
    expect(FAILURES.filter(({ shownBy }) => shownBy.length === 0)).toEqual([]);
  });

  it.each(TESTS)('names a test that exists: %s: %s', (file, test) => {
    const path = join(ROOT, file);
    expect(existsSync(path) && readFileSync(path, 'utf8')).toContain(test);
  });
});
