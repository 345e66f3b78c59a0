// npm test: unit to end to end, on real parts. npm run test:long (--long): those that take long.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianPackages, ensureNodeModules, requireNodeVersion } from './packages.mjs';

requireNodeVersion();
await ensureNodeModules();
const long = process.argv.includes('--long');
const { unavailable } = await ensureDebianPackages({
  features: ['database', 'broker', 'openstack', 's3', 'fuse', 'nfs', 'monitoring', 'documents'].concat(
    long ? ['containers', 'clusters'] : [],
  ),
});
const { ensureBuilt, ROOT } = await import('./build.mjs');
const { run } = await import('./run.mjs');
const { countsOf, skippedOf, sumOf, summaryLine } = await import('./results.mjs');
ensureBuilt();

const rest = process.argv.slice(2).filter((argument) => argument !== '--long');
const results = join(ROOT, 'dist/test-results');
mkdirSync(results, { recursive: true });

/** As of a run that could not even be loaded. */
const NO_REPORT = {
  numPassedTests: 0,
  numFailedTests: 0,
  numRuntimeErrorTestSuites: 1,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [],
};

/** What a test left running keeps Jest from ending after its last test. */
const END_MS = 60_000;

/** Calls `then` once Jest has written its report and does not end. @returns stops the watch */
function watchForEnd(report, then) {
  let deadline;
  const watch = setInterval(() => {
    if (!existsSync(report)) return;
    clearInterval(watch);
    deadline = setTimeout(then, END_MS);
  }, 1_000);
  return () => {
    clearInterval(watch);
    clearTimeout(deadline);
  };
}

/** Runs the tests of one Jest project, and resolves with its exit status and its report; ends here where a signal ended it. */
async function runProject(project, ...options) {
  const report = join(results, `${project}.json`);
  rmSync(report, { force: true });
  const left = new AbortController();
  const endWatch = watchForEnd(report, () => left.abort());
  const ended = await run(
    process.execPath,
    ['node_modules/jest/bin/jest.js', '--selectProjects', project, '--passWithNoTests']
      .concat(options)
      .concat(['--json', '--outputFile', report])
      .concat(rest),
    { DMS_TEST_UNAVAILABLE: JSON.stringify(unavailable) },
    left.signal,
  ).finally(endWatch);
  if (left.signal.aborted) console.error(`Something that the ${project} tests left running had to be ended.`);
  const status = left.signal.aborted ? 1 : ended;
  if (status > 128) {
    console.error(`The ${project} tests were ended by a signal.`);
    process.exit(status);
  }
  if (existsSync(report)) return { status, outcome: JSON.parse(readFileSync(report, 'utf8')) };
  console.error(`The ${project} tests ended without a report (status ${status}).`);
  return { status, outcome: NO_REPORT };
}

const runs = long ? [await runProject('long')] : [await runProject('unit'), await runProject('e2e')];

const skipped = runs.flatMap(({ outcome }) => skippedOf(outcome));
if (skipped.length > 0) {
  console.log('\nSkipped:');
  for (const name of skipped) console.log(`  - ${name}`);
  for (const { feature, reason } of unavailable) console.log(`    (${feature}: ${reason})`);
}
const counts = sumOf(runs.map(({ outcome }) => countsOf(outcome)));
writeFileSync(join(results, `${long ? 'long' : 'test'}.counts.json`), JSON.stringify(counts));
console.log(`\n${summaryLine(counts)}`);
process.exitCode = runs.every(({ status }) => status === 0) && counts.failed === 0 ? 0 : 1;
