import { isObservation, type MountObservation } from './observation';

/** A mount table entry that is not ours, below one of the node's bases. */
export interface ForeignMount {
  readonly mount_path: string;
  readonly source: string;
  readonly fstype: string;
  readonly mnt_id: number;
}

/** A FUSE daemon that the node keeps. */
export interface FuseProcess {
  readonly backup_target_id: string;
  readonly pid: number;
  readonly alive: boolean;
  readonly mount_path: string;
  /** ISO 8601, UTC. */
  readonly started_at: string | null;
  readonly rss_bytes: number | null;
  readonly cpu_percent: number | null;
  /** Of the process: `runs`, `sleeps`, `stopped` (by SIGSTOP or a debugger) or `waits` (in the kernel). Absent in older programs. */
  readonly state?: string;
}

/** All that a node knows and sees. */
export interface Inventory {
  readonly mounts: readonly MountObservation[];
  readonly foreign: readonly ForeignMount[];
  readonly processes: readonly FuseProcess[];
}

/** So much of each kind is read of one node. */
const MAX_ENTRIES = 100_000;

/**
 * `value` as an inventory, or null where it is none. One that is wrong in a single entry is none: without that entry a
 * mount that stands would be taken for one that is gone.
 */
export function asInventory(value: unknown): Inventory | null {
  if (typeof value !== 'object' || value === null) return null;
  const { mounts, foreign, processes } = value as Partial<Record<keyof Inventory, unknown>>;
  const isWhole =
    areAll(mounts, isObservation) && areAll(foreign, isForeignMount) && areAll(processes, isFuseProcess);
  return isWhole ? { mounts, foreign, processes } : null;
}

function areAll<T>(value: unknown, isOne: (item: unknown) => item is T): value is T[] {
  return Array.isArray(value) && value.length <= MAX_ENTRIES && value.every(isOne);
}

function isForeignMount(value: unknown): value is ForeignMount {
  if (typeof value !== 'object' || value === null) return false;
  const { mount_path, source, fstype, mnt_id } = value as Partial<ForeignMount>;
  return [mount_path, source, fstype].every((text) => typeof text === 'string') && Number.isInteger(mnt_id);
}

function isFuseProcess(value: unknown): value is FuseProcess {
  if (typeof value !== 'object' || value === null) return false;
  const { backup_target_id, mount_path, pid, alive } = value as Partial<FuseProcess>;
  const hasTexts = [backup_target_id, mount_path].every((text) => typeof text === 'string');
  return hasTexts && Number.isInteger(pid) && typeof alive === 'boolean';
}
