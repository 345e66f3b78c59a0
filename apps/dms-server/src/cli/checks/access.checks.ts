import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isUnderBase } from '@app/contracts';
import { within } from '../../commands/within';
import { accessProblemOf, type BaseAccess, baseAccessOf, isOwnBase } from '../../kernel/base-access';
import { MountTableAdapter } from '../../kernel/mount-table.adapter';
import { usedPathsIn, usersSearch } from '../../kernel/mount-users.adapter';
import { processName } from '../../kernel/process-name';
import { type ServerSettings } from '../../settings/server.settings';
import { type Finding } from './finding';

const SEARCH_MS = 10_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** So many users or mounts are named; a number stands for the others. */
const SHOWN = 5;
const PASS_OF_GROUP = 0o010;
const PASS_OF_OTHERS = 0o001;

/** Looks who reaches the mounts of this node, and who ceases to when dms-server runs with these settings. */
export function accessChecks(settings: ServerSettings): Promise<Finding>[] {
  const access = baseAccessOf(settings);
  return [
    ...settings.mountBases.flatMap((base) => [baseAccessCheck(base, access), usersCheck(base, access)]),
    openMountsCheck(settings.mountBases),
  ];
}

async function baseAccessCheck(base: string, access: BaseAccess): Promise<Finding> {
  const name = `access to ${base}`;
  if ((access.mode & PASS_OF_OTHERS) !== 0) {
    const detail = 'DMS_MOUNT_MODE lets every user of this node read the mounts of all projects';
    return { name, result: 'warning', detail };
  }
  const reaching = access.group === 0 ? 'root alone' : `root and the members of group ${access.group}`;
  try {
    const found = await accessProblemOf(base, access);
    if (found === null) return { name, result: 'ok', detail: reaching };
    const remedy = isOwnBase(base)
      ? 'dms-server changes that when it starts'
      : `to change that: ${found.remedy}`;
    return { name, result: 'warning', detail: `${found.problem}; ${remedy}` };
  } catch (error) {
    const { code = 'no reason given' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { name, result: 'ok', detail: `${reaching}, once it is made` };
    return { name, result: 'warning', detail: `cannot be looked at (${code})` };
  }
}

/** Jobs that run as another user than root, and not as a member of the group, lose their access. */
async function usersCheck(base: string, access: BaseAccess): Promise<Finding> {
  const name = `users of ${base}`;
  try {
    const lost = await usersWithoutAccess(base, access);
    if (lost.length === 0) return { name, result: 'ok', detail: 'all that use it now have access' };
    const detail = `no access for ${listed(lost)}: set DMS_MOUNT_GROUP to a group of theirs`;
    return { name, result: 'warning', detail };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { name, result: 'warning', detail: `could not be found: ${reason}` };
  }
}

async function usersWithoutAccess(base: string, { group, mode }: BaseAccess): Promise<string[]> {
  if ((mode & PASS_OF_OTHERS) !== 0) return [];
  const options = { timeout: SEARCH_MS, maxBuffer: MAX_OUTPUT_BYTES };
  const search = promisify(execFile)('/bin/sh', usersSearch(base), options).then(
    ({ stdout }) => stdout,
    // find(1) fails if a process ends meanwhile.
    ({ stdout }: { stdout?: string }) => stdout ?? '',
  );
  const paths = usedPathsIn(await within(search, SEARCH_MS, 'the search in /proc'));
  const lost: string[] = [];
  for (const [pid, path] of paths) {
    const user = await identityOf(pid);
    const isMember = (mode & PASS_OF_GROUP) !== 0 && user?.groups.includes(group) === true;
    if (user === null || user.uid === 0 || isMember) continue;
    lost.push(`user ${user.uid} (${await processName(pid)}, PID ${pid}, in ${path})`);
  }
  return lost;
}

/** Returns the user and all groups by which the kernel judges a process; null if it has ended. */
async function identityOf(pid: number): Promise<{ uid: number; groups: number[] } | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => null);
  if (status === null) return null;
  const numbers = (field: string): number[] =>
    (new RegExp(`^${field}:(.*)$`, 'm').exec(status)?.[1].match(/\d+/g) ?? []).map(Number);
  // Real, effective, saved, file system: the last one counts for files.
  return { uid: numbers('Uid')[3], groups: [numbers('Gid')[3], ...numbers('Groups')] };
}

/** Mounts of an earlier version, or of s3vaultfuse.py: in these every user that gets there may do everything. */
async function openMountsCheck(bases: readonly string[]): Promise<Finding> {
  const name = 'permissions in mounts';
  const open = (await new MountTableAdapter().read())
    .filter(({ fstype, mountPath }) => /^fuse(\.|$)/.test(fstype) && isUnderBase(mountPath, bases))
    .filter(({ superOptions }) => !superOptions.includes('default_permissions'))
    .map(({ mountPath }) => mountPath);
  if (open.length === 0) return { name, result: 'ok', detail: 'the kernel checks them in all S3 mounts' };
  const detail = `are not checked in ${listed(open)}: only the base keeps users out. Mounts of an earlier version are checked once they are mounted anew; s3vaultfuse.py has no such option`;
  return { name, result: 'warning', detail };
}

function listed(items: readonly string[]): string {
  const more = items.length > SHOWN ? [`${items.length - SHOWN} more`] : [];
  return [...items.slice(0, SHOWN), ...more].join(', ');
}
