import { chmod, lchown, lstat } from 'node:fs/promises';
import { SERVER_SETTINGS, type ServerSettings } from '../settings/server.settings';

const PERMISSIONS = 0o777;
const OTHERS = 0o007;
const GROUP = 0o070;
const PASS_OF_GROUP = 0o010;
const PASS_OF_OTHERS = 0o001;
/** Root alone makes something in a base. */
const BASE_PERMISSIONS = 0o755;

/** Group and permissions that a base should have. Its owner is root. */
export interface BaseAccess {
  readonly group: number;
  readonly mode: number;
}

/** What is wrong with the access to a base, and the command that mends it. */
export interface AccessProblem {
  readonly problem: string;
  readonly remedy: string;
}

export function baseAccessOf({
  mountGroup,
  mountMode,
}: Pick<ServerSettings, 'mountGroup' | 'mountMode'>): BaseAccess {
  return { group: mountGroup, mode: mountMode & BASE_PERMISSIONS };
}

/** Whether dms-server takes care of the access to a base that was there before. */
export function isOwnBase(base: string): boolean {
  return base === SERVER_SETTINGS.mountBases.default;
}

/**
 * Gives a base its group and permissions, if it is this program's: one that it has just made, or the default one. Any
 * other base may have further uses, so it stays as it is; {@link accessProblemOf} says what is open there. Where the
 * process may not change a base, or the file system is read-only, it stays, too.
 *
 * @param base a directory that nobody but root can exchange
 */
export async function closeBase(base: string, { group, mode }: BaseAccess, isMade: boolean): Promise<void> {
  if (!isMade && !isOwnBase(base)) return;
  const found = await lstat(base);
  try {
    if ((found.mode & PERMISSIONS) !== mode) await chmod(base, mode);
    if (found.gid !== group) await lchown(base, found.uid, group);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'EROFS') throw error;
  }
}

/** Says whether a base lets in others than the settings name, or keeps their group out; null if neither. */
export async function accessProblemOf(
  base: string,
  { group, mode }: BaseAccess,
): Promise<AccessProblem | null> {
  const found = await lstat(base);
  const has = found.mode & PERMISSIONS;
  const isForeign = found.gid !== group;
  // Root may do everything, so its group is no danger and needs no permission.
  const isOpen = (has & ~mode & OTHERS) !== 0 || (isForeign && found.gid !== 0 && (has & GROUP) !== 0);
  const keepsOut = group !== 0 && (has & PASS_OF_OTHERS) === 0 && (isForeign || (has & PASS_OF_GROUP) === 0);
  if (!isOpen && !keepsOut) return null;
  const state = `mode ${octal(has)}, group ${found.gid}`;
  return {
    problem: isOpen
      ? `users outside of DMS_MOUNT_GROUP reach the mounts below ${base} (${state})`
      : `the group of DMS_MOUNT_GROUP does not reach the mounts below ${base} (${state})`,
    remedy: `chgrp ${group} ${base} && chmod ${octal(mode)} ${base}`,
  };
}

function octal(mode: number): string {
  return mode.toString(8).padStart(3, '0');
}
