// Adds up what the test runs counted.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './build.mjs';
import { summaryLine } from './results.mjs';

const sum = { passed: 0, failed: 0, skipped: 0 };
for (const run of ['test', 'long']) {
  const file = join(ROOT, 'dist/test-results', `${run}.counts.json`);
  const counts = existsSync(file)
    ? JSON.parse(readFileSync(file, 'utf8'))
    : { passed: 0, failed: 1, skipped: 0 };
  for (const key of Object.keys(sum)) sum[key] += counts[key];
}
console.log(summaryLine(sum));
