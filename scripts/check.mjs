// npm run check: format, lint, types, layering (a lint rule), known weaknesses of dependencies, and unit tests (not with
// --static); the first that fails ends it.
import { ensureNodeModules, requireNodeVersion } from './packages.mjs';

requireNodeVersion();
await ensureNodeModules();
const { run } = await import('./run.mjs');

const node = process.execPath;
const steps = [
  ['Format', ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.']],
  ['Lint and layering', ['node_modules/eslint/bin/eslint.js', '--max-warnings', '0', '.']],
  ['Types', ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json']],
  ['Dependencies', ['scripts/audit.mjs']],
  ['Unit tests', ['node_modules/jest/bin/jest.js', '--selectProjects', 'unit', '--silent']],
];
if (process.argv.includes('--static')) steps.pop();
for (const [name, args] of steps) {
  const began = Date.now();
  const status = await run(node, args);
  console.log(`${name}: ${status === 0 ? 'good' : 'FAILED'} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  if (status !== 0) process.exit(status);
}
