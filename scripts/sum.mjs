// Adds up what the test runs counted.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './build.mjs';
import { summaryLine, sumOf } from './results.mjs';

const NOT_RUN = { passed: 0, failed: 1, skipped: 0 };
const counts = ['test', 'long'].map((run) => {
  const file = join(ROOT, 'dist/test-results', `${run}.counts.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : NOT_RUN;
});
console.log(summaryLine(sumOf(counts)));
