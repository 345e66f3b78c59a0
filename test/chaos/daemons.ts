import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NodeProcess } from '../fleet/node-process';
import { processState } from '../rig';

/** A FUSE daemon of a node, as its PID file names it. */
export interface Daemon {
  readonly pid: number;
  /** Tells it from a later process of the same number. */
  readonly started: string;
  readonly node: NodeProcess;
  readonly targetId: string;
}

/** The daemons that a node's PID files name and that run; sorted by target. */
export function daemonsOf(node: NodeProcess): Daemon[] {
  return filesOf(node.pidDirectory)
    .filter((name) => name.endsWith('.pid'))
    .sort()
    .flatMap((name) => {
      const targetId = name.slice(0, -'.pid'.length);
      const pid = Number(textOf(join(node.pidDirectory, name)));
      const state = Number.isInteger(pid) && pid > 1 ? processState(pid) : undefined;
      const isOurs = state !== undefined && commandOf(pid).includes(join(node.base, targetId));
      return isOurs ? [{ pid, started: state.started, node, targetId }] : [];
    });
}

/** Sends a daemon a signal; false where it has ended. */
export function signalDaemon({ pid, started }: Daemon, signal: NodeJS.Signals): boolean {
  if (processState(pid)?.started !== started) return false;
  process.kill(pid, signal);
  return true;
}

/** The processes whose command line names something below a directory, as `pid: command`. */
export function processesNaming(directory: string): { pid: number; command: string }[] {
  return filesOf('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), command: commandOf(Number(name)).join(' ') }))
    .filter(({ pid, command }) => command.includes(`${directory}/`) && !'ZX'.includes(stateOf(pid)));
}

/** Names in a directory; none where it does not exist. */
export function filesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function stateOf(pid: number): string {
  return processState(pid)?.state ?? 'X';
}

function commandOf(pid: number): string[] {
  return textOf(`/proc/${pid}/cmdline`).split('\0');
}

/** Empty where the file, or the process that it tells of, is gone. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
