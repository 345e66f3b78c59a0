import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnvironment } from './environment';
import { runCommand } from './command';
import { guardian } from './guardian';
import { DIRECTORY_FUNCTIONS, MARKER } from './directory-script';

/**
 * Makes a directory that only its owner can look into, and has it removed if this process ends without doing so.
 * Parents are made as needed; the directory itself must not hold anything yet.
 */
export async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  // All that lies in it will be removed.
  if ((await readdir(path)).length > 0) throw new Error(`${path} is not empty`);
  await writeFile(join(path, MARKER), 'Made for private services of a test run; removed when they stop.\n', {
    flag: 'wx',
  });
  guardian.watchDirectory(path);
}

/** Removes what `makeDirectory` made, with what is mounted below it or set immutable in it. */
export async function removeDirectory(path: string): Promise<void> {
  if (existsSync(path)) await callFunction('remove_directory', path);
  if (existsSync(path)) throw new Error(`${path} could not be removed`);
  guardian.forgetDirectory(path);
}

/** Unmounts what is mounted below a directory, but not what may be mounted on it. */
export async function unmountBelow(path: string): Promise<void> {
  await callFunction('unmount_below', path);
}

async function callFunction(name: string, path: string): Promise<void> {
  await runCommand('/bin/sh', ['-c', `${DIRECTORY_FUNCTIONS}\n${name} "$1"`, 'sh', path], {
    environment: cleanEnvironment(),
    timeoutMs: 60_000,
  });
}
