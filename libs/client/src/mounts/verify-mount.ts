import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { NotMountedError } from '../errors';
import { mountOf, readMountTable } from './mount-table';

/** Stands in a directory of the service where nothing is mounted. */
export const NOT_MOUNTED_MARKER = '.dms-not-mounted';

/** What a mount's answer says of where it is. */
export interface MountPlace {
  readonly mount_path: string;
  /** `major:minor`; null where the node did not say. */
  readonly device: string | null;
}

/**
 * Makes sure that what is written below `path` lands on the target and not beside it: the mount table of this process
 * must have the answer's device there. The mount itself is not touched, so that this cannot hang. Afterwards an open
 * directory or file of the mount stays in it.
 *
 * @param path where this process sees the mount, or a directory in it, without symbolic links; a container may have it
 *   at another place than the node
 * @throws NotMountedError
 */
export async function verifyMount(
  { mount_path, device }: MountPlace,
  path: string = mount_path,
): Promise<void> {
  const found = mountOf(path, await readMountTable());
  if (device === null ? found?.path === path : found?.device === device) return;
  const seen = found === null ? 'nothing' : `device ${found.device}, mounted at ${found.path}`;
  const wanted = device === null ? 'no mount of its own' : `not device ${device}`;
  const marker = await hasMarker(path, found?.path);
  throw new NotMountedError(
    'MOUNT_FAILED',
    `${path} is not the target: it has ${wanted} but ${seen}${marker ? ` (${NOT_MOUNTED_MARKER} stands in it)` : ''}`,
  );
}

/** Looked for only where the path is a plain directory, for another mount could hang. */
async function hasMarker(path: string, mountpoint: string | undefined): Promise<boolean> {
  if (mountpoint === path) return false;
  return access(join(path, NOT_MOUNTED_MARKER)).then(
    () => true,
    () => false,
  );
}
