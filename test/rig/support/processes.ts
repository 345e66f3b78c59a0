import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel says of one process; `started` tells it from a later one that got the same number. */
export interface ProcessState {
  readonly pid: number;
  readonly state: string;
  readonly group: number;
  readonly started: string;
  /** Processor time that it has used so far, in its own code and in the kernel. */
  readonly cpuMs: number;
}

/** The kernel tells processor time in hundredths of a second, on every machine. */
const MS_PER_TICK = 10;

/** The process with this number, or undefined if there is none. */
export function processState(pid: number): ProcessState | undefined {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
  // The name in parentheses may hold anything, so the fields are counted from the last parenthesis: state is the
  // third field of the line, the group the fifth, the processor time in user and in kernel mode the fourteenth and
  // fifteenth, the start time (clock ticks since boot) the twenty-second.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const cpuMs = (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  return { pid, state: fields[0] ?? '?', group: Number(fields[2]), started: fields[19] ?? '', cpuMs };
}

/** The members of a process group that still run; zombies do not. */
export function groupMembers(group: number): ProcessState[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processState(Number(name)))
    .filter((found): found is ProcessState => found?.group === group && !'ZX'.includes(found.state));
}

/** The processes whose environment has this `NAME=value`. Only root sees those of other users. */
export function processesWithVariable(assignment: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => environmentOf(pid).includes(assignment));
}

/** Sends a signal to a whole process group; false if no such group exists. */
export function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM';
}
