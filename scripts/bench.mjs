// npm run bench: how fast it is, beside the floor of the same machine in the same run.
import { ensureDebianPackages, ensureNodeModules, requireNodeVersion } from './packages.mjs';

requireNodeVersion();
await ensureNodeModules();
const { unavailable } = await ensureDebianPackages({
  features: ['database', 'broker', 'openstack', 's3', 'fuse'],
});
if (unavailable.length > 0) {
  for (const { reason } of unavailable) process.stderr.write(`The benchmark cannot run here: ${reason}\n`);
  process.exit(1);
}
const { ensureBuilt } = await import('./build.mjs');
const { run } = await import('./run.mjs');
ensureBuilt();
process.exitCode = await run(process.execPath, ['dist/test/bench/main.js', ...process.argv.slice(2)]);
