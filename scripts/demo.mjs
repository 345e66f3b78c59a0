// npm run demo [-- --keep]: the main job, end to end, on private instances of everything.
import { ensureDebianPackages, ensureNodeModules, requireNodeVersion } from './packages.mjs';

requireNodeVersion();
await ensureNodeModules();
const { unavailable } = await ensureDebianPackages({
  features: ['database', 'broker', 'openstack', 's3', 'fuse'],
});
if (unavailable.length > 0) {
  for (const { reason } of unavailable) process.stderr.write(`The demo cannot run here: ${reason}\n`);
  process.exit(1);
}
const { ensureBuilt } = await import('./build.mjs');
const { run } = await import('./run.mjs');
ensureBuilt();
process.exitCode = await run(process.execPath, ['dist/test/demo/main.js', ...process.argv.slice(2)]);
