import { lstat, mkdir, opendir, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DmsError, isUnderBase, mountPathProblem } from '@app/contracts';
import { type BaseAccess, closeBase } from './base-access';
import { type MountEntry } from './mount-table.interface';

const FIELD = 'backup_target.filesystem_export_mount_path';
const DIRECTORY_MODE = 0o755;
/** Until a new base has its group and permissions. */
const CLOSED_MODE = 0o700;
/** So many directories above a mountpoint are made for one mount: each costs the node an inode and work. */
const MADE_AT_MOST = 8;
const WRITABLE_BY_OTHERS = 0o022;
/** In such a directory nobody but their owners may rename or remove what others have made. */
const STICKY = 0o1000;

/**
 * The base that `path` lies below, the longest if there are several.
 *
 * @throws DmsError VALIDATION_FAILED if it lies below none, is one or lies above one, or is no path for a mountpoint
 */
export function baseOf(path: string, bases: readonly string[]): string {
  const problem = mountPathProblem(path);
  if (problem !== null) throw refused(problem);
  const base = bases
    .filter((candidate) => isUnderBase(path, [candidate]))
    .toSorted((a, b) => b.length - a.length)
    .at(0);
  if (base === undefined) throw refused(`must lie below one of this node's bases: ${bases.join(', ')}`);
  const inner = bases.find((candidate) => candidate === path || isUnderBase(candidate, [path]));
  if (inner !== undefined) throw refused(`would hide the base ${inner} of this node: name another path`);
  return base;
}

/**
 * Makes the base and the directories between it and `path`, owned by root and writable by it alone; `path` itself is
 * neither made nor looked at. Each directory from the root on is looked at before the next one in it: once nobody but
 * root can change one, what lies in it stays what it is, and so the mount lands where it was looked at.
 *
 * @param mounts the mount table: a directory in which something is mounted is not looked at
 * @param access group and permissions of the base
 * @returns those below the base that it made
 * @throws DmsError VALIDATION_FAILED if a symbolic link, a file or a mount is in the way, or too many are missing
 * @throws DmsError MOUNT_FAILED if a directory can be changed by others
 */
export async function prepareWay(
  path: string,
  base: string,
  mounts: readonly MountEntry[],
  access: BaseAccess,
): Promise<string[]> {
  await prepareBase(base, access);
  const directories = directoriesAbove(path).filter((above) => isUnderBase(above, [base]));
  const mount = mounts.find(({ mountPath }) => directories.includes(mountPath));
  if (mount !== undefined) throw refused(`lies inside the mount ${mount.mountPath}`);
  await checkNumber(directories);
  const made: string[] = [];
  for (const directory of directories) {
    if (await makeDirectory(directory)) made.push(directory);
    await checkDirectory(directory);
  }
  return made;
}

/** One that is there has all above it. */
async function checkNumber(directories: readonly string[]): Promise<void> {
  const nearest = directories.at(-(MADE_AT_MOST + 1));
  if (nearest === undefined) return;
  // Whatever else is wrong with the way is told by who goes it.
  const isMissing = await lstat(nearest).then(
    () => false,
    ({ code }: NodeJS.ErrnoException) => code === 'ENOENT',
  );
  if (isMissing)
    throw refused(`needs more than ${MADE_AT_MOST} new directories above it: make some of them before`);
}

/**
 * Makes a base and what is missing above it, as {@link prepareWay} does, and lets in those who may reach its mounts.
 *
 * @throws DmsError as {@link prepareWay}
 */
export async function prepareBase(base: string, access: BaseAccess): Promise<void> {
  for (const directory of directoriesAbove(base)) {
    await makeDirectory(directory);
    await checkDirectory(directory, { base, mayBeSticky: true });
  }
  const isMade = await makeDirectory(base, CLOSED_MODE);
  await checkDirectory(base, { base });
  await closeBase(base, access, isMade);
}

/**
 * Looks whether nobody but root can lead `path` elsewhere, for what is to be done to a mountpoint that was made before.
 * The last component is not looked at.
 *
 * @returns false if a directory on the way is gone
 * @throws DmsError as {@link prepareWay}
 */
export async function checkWay(path: string): Promise<boolean> {
  try {
    for (const directory of directoriesAbove(path)) await checkDirectory(directory, { mayBeSticky: true });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** From the root on. */
function directoriesAbove(path: string): string[] {
  const above = dirname(path);
  return above === path ? [] : [...directoriesAbove(above), above];
}

/** @returns false if it was there */
async function makeDirectory(path: string, mode = DIRECTORY_MODE): Promise<boolean> {
  try {
    await mkdir(path, { mode });
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

interface DirectoryRules {
  /** The base above or at which it lies. */
  readonly base?: string;
  /** Others may make something in it, beside what is looked at next. */
  readonly mayBeSticky?: boolean;
}

async function checkDirectory(
  path: string,
  { base, mayBeSticky = false }: DirectoryRules = {},
): Promise<void> {
  const found = await lstat(path);
  if (found.isSymbolicLink()) {
    // The mount table names mountpoints by their real paths: below a symbolic link none would be found there.
    throw refused(
      base === undefined
        ? `has a symbolic link on its way: ${path}`
        : `lies below the base ${base}, which is reached by a symbolic link (${path}); its real path is ${await realPathOf(base)}`,
    );
  }
  if (!found.isDirectory()) throw refused(`has something on its way that is not a directory: ${path}`);
  const isRoots = found.uid === 0 || found.uid === process.geteuid?.();
  const isWritable = (found.mode & WRITABLE_BY_OTHERS) !== 0 && !(mayBeSticky && (found.mode & STICKY) !== 0);
  if (!isRoots || isWritable) {
    throw new DmsError(
      'MOUNT_FAILED',
      `${path} can be changed by others than root: "chown root:root" and "chmod 755" it, so that nobody can exchange what lies in it.`,
    );
  }
}

async function realPathOf(path: string): Promise<string> {
  return await realpath(path).catch(() => 'not there');
}

function refused(problem: string): DmsError {
  return DmsError.validation([{ field: FIELD, problem }]);
}
