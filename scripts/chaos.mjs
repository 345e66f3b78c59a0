// npm run chaos -- --minutes M --seed S: jobs mount and unmount while everything around them is killed.
import { ensureDebianPackages, ensureNodeModules, requireNodeVersion } from './packages.mjs';

requireNodeVersion();
await ensureNodeModules();
const { unavailable } = await ensureDebianPackages({
  features: ['database', 'broker', 'openstack', 's3', 'fuse'],
});
if (unavailable.length > 0) {
  for (const { reason } of unavailable) process.stderr.write(`Chaos cannot run here: ${reason}\n`);
  process.exit(1);
}
const { ensureBuilt } = await import('./build.mjs');
const { run } = await import('./run.mjs');
ensureBuilt();
process.exitCode = await run(process.execPath, ['dist/test/chaos/main.js', ...process.argv.slice(2)]);
