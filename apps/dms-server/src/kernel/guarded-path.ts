import { lstat, mkdir, opendir, realpath } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { DmsError, isUnderBase, mountPathProblem } from '@app/contracts';
import { type MountEntry } from './mount-table.interface';

const FIELD = 'backup_target.filesystem_export_mount_path';
const DIRECTORY_MODE = 0o755;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * The base that `path` lies below, the longest if there are several.
 *
 * @throws DmsError VALIDATION_FAILED if it lies below none, or is no path for a mountpoint
 */
export function baseOf(path: string, bases: readonly string[]): string {
  const problem = mountPathProblem(path);
  if (problem !== null) throw refused(problem);
  const base = bases
    .filter((candidate) => isUnderBase(path, [candidate]))
    .toSorted((a, b) => b.length - a.length)
    .at(0);
  if (base === undefined) throw refused(`must lie below one of this node's bases: ${bases.join(', ')}`);
  return base;
}

/**
 * Makes the base and the directories between it and `path`, owned by root and writable by it alone; `path` itself is
 * neither made nor looked at. Nobody but root can then exchange a part of the way for a symbolic link.
 *
 * @param mounts the mount table: a directory in which something is mounted is not looked at
 * @returns those below the base that it made
 * @throws DmsError VALIDATION_FAILED if a symbolic link, a file or a mount is in the way
 * @throws DmsError MOUNT_FAILED if a directory belongs to others
 */
export async function prepareWay(
  path: string,
  base: string,
  mounts: readonly MountEntry[],
): Promise<string[]> {
  await mkdir(base, { recursive: true, mode: DIRECTORY_MODE });
  // The mount table names mountpoints by their real paths: below a symbolic link none would be found there.
  const real = await realpath(base);
  if (real !== base)
    throw refused(
      `lies below the base ${base}, which is reached by a symbolic link; its real path is ${real}`,
    );
  await checkDirectory(base);
  const made: string[] = [];
  let directory = base;
  for (const name of relative(base, dirname(path))
    .split('/')
    .filter((part) => part !== '')) {
    directory = join(directory, name);
    if (mounts.some((mount) => mount.mountPath === directory))
      throw refused(`lies inside the mount ${directory}`);
    if (await makeDirectory(directory)) made.push(directory);
    await checkDirectory(directory);
  }
  return made;
}

/** @returns false if it was there */
async function makeDirectory(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: DIRECTORY_MODE });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

/**
 * Whether the directory (in which nothing is mounted) holds nothing; null where there is none.
 *
 * @throws DmsError VALIDATION_FAILED if it is something else than a directory
 */
export async function isEmptyDirectory(path: string): Promise<boolean | null> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found === null) return null;
  if (!found.isDirectory())
    throw refused(`is ${found.isSymbolicLink() ? 'a symbolic link' : 'not a directory'}`);
  const directory = await opendir(path);
  try {
    return (await directory.read()) === null;
  } finally {
    await directory.close();
  }
}

async function checkDirectory(path: string): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) throw refused(`has a symbolic link on its way: ${path}`);
  if (!found.isDirectory()) throw refused(`has something on its way that is not a directory: ${path}`);
  if (found.uid !== process.geteuid?.() || (found.mode & WRITABLE_BY_OTHERS) !== 0) {
    throw new DmsError(
      'MOUNT_FAILED',
      `${path} can be changed by others than root: "chown root:root" and "chmod 755" it, so that nobody can exchange what lies in it.`,
    );
  }
}

function refused(problem: string): DmsError {
  return DmsError.validation([{ field: FIELD, problem }]);
}
