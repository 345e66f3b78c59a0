// npm run chaos -- --minutes M --seed S: jobs mount and unmount while everything around them is killed.
// npm run chaos -- --races PAIRS: two jobs race for a target, through two writers of a database cluster.
import { ensureDebianPackages, ensureNodeModules, requireNodeVersion } from './packages.mjs';

requireNodeVersion();
await ensureNodeModules();
const onClusters = process.argv.some((argument) => /^--(cluster|races)(=|$)/.test(argument));
const { unavailable } = await ensureDebianPackages({
  features: ['database', 'broker', 'openstack', 's3', 'fuse'].concat(onClusters ? ['clusters'] : []),
});
if (unavailable.length > 0) {
  for (const { reason } of unavailable) process.stderr.write(`Chaos cannot run here: ${reason}\n`);
  process.exit(1);
}
const { ensureBuilt } = await import('./build.mjs');
const { run } = await import('./run.mjs');
ensureBuilt();
process.exitCode = await run(process.execPath, ['dist/test/chaos/main.js', ...process.argv.slice(2)]);
