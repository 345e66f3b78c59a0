import { join } from 'node:path';
import { type MountEntry } from './mount-table.interface';

export function isReadOnly(layer: MountEntry): boolean {
  return layer.options.includes('ro');
}

/** True for a read-only mount of a directory on itself; `parent` is the mount that it stands in. */
export function isPlaceholder(layer: MountEntry, parent: MountEntry | null): boolean {
  if (!isReadOnly(layer) || parent === null || parent.device !== layer.device) return false;
  const below = parent.mountPath === '/' ? layer.mountPath : layer.mountPath.slice(parent.mountPath.length);
  return layer.mountPath.startsWith(parent.mountPath) && layer.root === join(parent.root, below);
}

export function withoutPlaceholders(table: readonly MountEntry[]): MountEntry[] {
  const byId = new Map(table.map((entry) => [entry.mntId, entry]));
  return table.filter((entry) => !isPlaceholder(entry, byId.get(entry.parentId) ?? null));
}
