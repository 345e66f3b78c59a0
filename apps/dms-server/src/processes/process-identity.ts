import { readdir, readFile } from 'node:fs/promises';

/** Which process, beyond its number: a number is used again, also after a reboot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after the boot (field 22 of proc_pid_stat(5)). */
  readonly startTime: number;
  readonly bootId: string;
}

/** The fields of /proc/PID/stat that are used here. */
export interface ProcessStat {
  readonly pid: number;
  readonly command: string;
  /** One letter; Z and X have ended. */
  readonly state: string;
  readonly group: number;
  readonly session: number;
  /** Clock ticks that it has run, in user mode and in the kernel. */
  readonly cpuTicks: number;
  readonly startTime: number;
}

const MAX_RECORD_BYTES = 256;
const RECORD = /^(\d{1,10}) (\d{1,20}) ([0-9a-f-]{36})\n$/;

/** Reads a `/proc/PID/stat` text; null where it is none. The command may itself hold spaces and brackets. */
export function parseStat(text: string): ProcessStat | null {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return null;
  const fields = text.slice(close + 2).split(' ');
  const stat = {
    pid: parseInt(text, 10),
    command: text.slice(open + 1, close),
    state: fields[0],
    group: Number(fields[2]),
    session: Number(fields[3]),
    cpuTicks: Number(fields[11]) + Number(fields[12]),
    startTime: Number(fields[19]),
  };
  return Number.isNaN(stat.pid + stat.group + stat.session + stat.startTime) ? null : stat;
}

/** The process `pid` as it is now, null where there is none. */
export async function readProcess(pid: number): Promise<ProcessStat | null> {
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return null; // it ended before, or while, it was read
  }
}

/** The process of that identity, null where it has ended (a zombie has) or its number is somebody else's now. */
export async function readSame(identity: ProcessIdentity): Promise<ProcessStat | null> {
  if (identity.bootId !== (await bootId())) return null;
  const stat = await readProcess(identity.pid);
  return stat !== null && stat.startTime === identity.startTime && hasNotEnded(stat) ? stat : null;
}

/**
 * Living members of the process group that `leader` founded (as a session of its own), itself included. While the
 * group has members the kernel gives its number to nobody else, so one that began before the leader is not ours.
 */
export async function livingGroup(leader: ProcessIdentity): Promise<ProcessStat[]> {
  if (leader.bootId !== (await bootId())) return [];
  const now = await readProcess(leader.pid);
  if (now !== null && now.startTime !== leader.startTime) return [];
  const members: ProcessStat[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readProcess(Number(name));
    if (stat?.group === leader.pid && stat.startTime >= leader.startTime && hasNotEnded(stat))
      members.push(stat);
  }
  return members;
}

/** A record `pid starttime boot-id` with its newline; null where it is torn, foreign or too large. */
export function parseIdentity(text: string): ProcessIdentity | null {
  if (text.length > MAX_RECORD_BYTES) return null;
  const match = RECORD.exec(text);
  const pid = Number(match?.[1]);
  if (match === null || pid < 2) return null;
  return { pid, startTime: Number(match[2]), bootId: match[3] };
}

/**
 * True if that process serves `mountPath`: its environment names it as `vault_data_directory`, or an argument is it.
 * Its environment holds keys: nothing else of it is looked at or kept.
 */
export async function servesMount(pid: number, mountPath: string): Promise<boolean> {
  // Lists of the kernel end in an empty text.
  if (mountPath === '') return false;
  return (
    (await mountPathOf(pid)) === mountPath ||
    (await readList(`/proc/${pid}/cmdline`)).slice(1).includes(mountPath)
  );
}

/** The mountpoint in the environment of a FUSE process for S3; null where it names none. */
export async function mountPathOf(pid: number): Promise<string | null> {
  const name = 'vault_data_directory=';
  const entry = (await readList(`/proc/${pid}/environ`)).find((variable) => variable.startsWith(name));
  return entry?.slice(name.length) ?? null;
}

let knownBootId: string | undefined;

/** The kernel's id of this boot. */
export async function bootId(): Promise<string> {
  knownBootId ??= (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return knownBootId;
}

function hasNotEnded(stat: ProcessStat): boolean {
  return stat.state !== 'Z' && stat.state !== 'X';
}

async function readList(path: string): Promise<string[]> {
  try {
    return (await readFile(path, 'utf8')).split('\0');
  } catch {
    return []; // the process has ended
  }
}
