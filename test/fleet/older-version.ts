import { spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory, runCommand } from '../rig';
import { type Programs, ROOT } from './programs';

/** The last version whose nodes have no queue of their own. */
const COMMIT = 'd8c3015fad764d238de883b3de1ae461e0441deb';
const BUILD_MS = 300_000;

/** Whether this checkout has the history to build it from; a shallow clone and a packed archive have none. */
export function hasOlderVersion(): boolean {
  return spawnSync('git', ['-C', ROOT, 'cat-file', '-e', `${COMMIT}^{commit}`]).status === 0;
}

/** Compiles the older version from the history, with the packages of this one, into a directory that does not exist yet. */
export async function buildOlderVersion(directory: string): Promise<Programs> {
  await makeDirectory(directory);
  const run = (command: string, ...args: string[]) =>
    runCommand(command, args, {
      directory,
      timeoutMs: BUILD_MS,
      environment: { PATH: process.env.PATH ?? '' },
    });
  const archive = join(directory, 'source.tar');
  await run('git', '-C', ROOT, 'archive', '--output', archive, COMMIT);
  await run('tar', '-xf', archive);
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  for (const app of ['dms-server', 'dms-client'])
    await run(process.execPath, 'node_modules/@nestjs/cli/bin/nest.js', 'build', app);
  return {
    server: join(directory, 'dist/apps/dms-server/src/main.js'),
    client: join(directory, 'dist/apps/dms-client/src/main.js'),
    cli: join(directory, 'dist/apps/dms-client/src/cli/main.js'),
  };
}
