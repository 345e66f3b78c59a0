// npm run migrate: brings the ledger's schema up to date (DMS_DB_URL).
import { ensureNodeModules, requireNodeVersion } from './packages.mjs';

requireNodeVersion();
await ensureNodeModules();
const { ensureBuilt } = await import('./build.mjs');
const { run } = await import('./run.mjs');
ensureBuilt();
process.exitCode = await run(process.execPath, [
  'dist/apps/dms-client/src/cli/main.js',
  'migrate',
  ...process.argv.slice(2),
]);
