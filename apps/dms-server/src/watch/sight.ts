import { knownMntId, type MountedAs } from '../fence/target-record';
import { type MountEntry } from '../kernel/mount-table.interface';

/** What shows of a mount that is remembered, without a look into it. */
export interface Sight {
  readonly kind: 'mounted' | 'broken' | 'vanished';
  /** As the ledger knows it. */
  readonly mntId: number;
  readonly mountPath: string;
}

/**
 * @param layers those at the mount's path
 * @param daemonWell false where its daemon has ended or hangs; null where it has none, or none is known
 * @returns null where it is not known which mount it is: its command has not seen it in the mount table yet
 */
export function sightOf(
  mountedAs: MountedAs,
  layers: readonly MountEntry[],
  daemonWell: boolean | null,
): Sight | null {
  const { mntId, mountPath, device } = mountedAs;
  const known = knownMntId(mountedAs);
  if (mntId === null || known === null) return null;
  // The kernel gives an id again once it is free, so the device is compared, too.
  const stands = layers.some(
    (layer) => layer.mntId === mntId && (device === null || layer.device === device),
  );
  if (!stands) return { kind: 'vanished', mntId: known, mountPath };
  const dead = layers.length > 1 || daemonWell === false;
  return { kind: dead ? 'broken' : 'mounted', mntId: known, mountPath };
}

export function hasDaemon({ fstype }: MountedAs): boolean {
  return fstype === 'fuse' || fstype?.startsWith('fuse.') === true;
}
