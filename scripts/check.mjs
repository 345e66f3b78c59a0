// npm run check: format, lint, types, layering (a lint rule), known weaknesses of dependencies, and unit tests (not with
// --static); the first that fails ends it. With --node 24: both programs and the unit tests under that Node.js alone.
import { ensureNodeModules, requireNodeVersion } from './packages.mjs';

requireNodeVersion();
await ensureNodeModules();
const { run } = await import('./run.mjs');
const { ensureBuilt } = await import('./build.mjs');
const { otherNode } = await import('./other-node.mjs');

const UNIT_TESTS = ['Unit tests', ['node_modules/jest/bin/jest.js', '--selectProjects', 'unit', '--silent']];
const STATIC = [
  ['Format', ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.']],
  ['Lint and layering', ['node_modules/eslint/bin/eslint.js', '--max-warnings', '0', '.']],
  ['Types', ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json']],
  ['Dependencies', ['scripts/audit.mjs']],
];
/** What loads all of a program, and does nothing. */
const PROGRAMS = ['dms-client/src/main.js', 'dms-client/src/cli/main.js', 'dms-server/src/main.js'].map(
  (program) => [program, [`dist/apps/${program}`, '--version']],
);

/** The number after --node, undefined without it; ends the process where it is none. */
function majorAsked(args) {
  const place = args.indexOf('--node');
  if (place < 0) return undefined;
  if (/^\d+$/.test(args[place + 1] ?? '')) return Number(args[place + 1]);
  console.error('--node: must be followed by a major version of Node.js, e.g. --node 24');
  process.exit(2);
}

const major = majorAsked(process.argv);
let node = process.execPath;
let steps = process.argv.includes('--static') ? STATIC : [...STATIC, UNIT_TESTS];
if (major !== undefined) {
  node = await otherNode(major);
  ensureBuilt();
  steps = [['Node.js', ['--version']], ...PROGRAMS, UNIT_TESTS];
}
for (const [name, args] of steps) {
  const began = Date.now();
  const status = await run(node, args);
  console.log(`${name}: ${status === 0 ? 'good' : 'FAILED'} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  if (status !== 0) process.exit(status);
}
