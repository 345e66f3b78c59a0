// npm test: unit to end to end, on real parts. npm run test:long (--long): those that take long.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianPackages, ensureNodeModules, requireNodeVersion } from './packages.mjs';

requireNodeVersion();
await ensureNodeModules();
const { unavailable } = await ensureDebianPackages({
  features: ['database', 'broker', 'openstack', 's3', 'fuse', 'nfs'],
});
const { ensureBuilt, ROOT } = await import('./build.mjs');
const { run } = await import('./run.mjs');
const { countsOf, skippedOf, summaryLine } = await import('./results.mjs');
ensureBuilt();

const long = process.argv.includes('--long');
const projects = long ? ['long'] : ['unit', 'e2e'];
const results = join(ROOT, 'dist/test-results');
const report = join(results, `${long ? 'long' : 'test'}.json`);
mkdirSync(results, { recursive: true });
rmSync(report, { force: true });

const rest = process.argv.slice(2).filter((argument) => argument !== '--long');
const status = await run(
  process.execPath,
  ['node_modules/jest/bin/jest.js', '--selectProjects', ...projects, '--runInBand', '--passWithNoTests']
    .concat(['--json', '--outputFile', report])
    .concat(rest),
  { DMS_TEST_UNAVAILABLE: JSON.stringify(unavailable) },
);

const outcome = JSON.parse(readFileSync(report, 'utf8'));
const skipped = skippedOf(outcome);
if (skipped.length > 0) {
  console.log('\nSkipped:');
  for (const name of skipped) console.log(`  - ${name}`);
  for (const { feature, reason } of unavailable) console.log(`    (${feature}: ${reason})`);
}
const counts = countsOf(outcome);
writeFileSync(join(results, `${long ? 'long' : 'test'}.counts.json`), JSON.stringify(counts));
console.log(`\n${summaryLine(counts)}`);
process.exitCode = status === 0 && counts.failed === 0 ? 0 : 1;
