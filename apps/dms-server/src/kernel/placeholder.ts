import { join } from 'node:path';
import { type MountEntry } from './mount-table.interface';

export function isReadOnly(layer: MountEntry): boolean {
  return layer.options.includes('ro');
}

/** True for a mount of a directory on itself; `parent` is the mount that it stands in. */
export function isOnItself(layer: MountEntry, parent: MountEntry | null): boolean {
  if (parent === null || parent.device !== layer.device) return false;
  const below = parent.mountPath === '/' ? layer.mountPath : layer.mountPath.slice(parent.mountPath.length);
  return layer.mountPath.startsWith(parent.mountPath) && layer.root === join(parent.root, below);
}

/** @param begun paths at which a placeholder is being made, which can still be written to until it is finished */
export function withoutPlaceholders(
  table: readonly MountEntry[],
  begun: ReadonlySet<string> = new Set(),
): MountEntry[] {
  const byId = new Map(table.map((entry) => [entry.mntId, entry]));
  const isPlaceholder = (entry: MountEntry): boolean =>
    (isReadOnly(entry) || begun.has(entry.mountPath)) && isOnItself(entry, byId.get(entry.parentId) ?? null);
  return table.filter((entry) => !isPlaceholder(entry));
}
