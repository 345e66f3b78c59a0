import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';

/** @throws Error that names the path and what is wrong */
export async function requireUsable(path: string, mode: number): Promise<void> {
  try {
    await access(path, mode);
  } catch (error) {
    throw new Error(`${path} cannot be used (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, {
      cause: error,
    });
  }
}

/** Mountpoints can be made below the bases. @throws Error that names the base and what is wrong */
export async function requireUsableBases(bases: readonly string[]): Promise<void> {
  for (const base of bases) {
    await requireUsable(base, constants.W_OK | constants.X_OK);
    await requireRoom(base);
  }
}

/** A file system that makes inodes as it needs them says that it has none in all. */
async function requireRoom(path: string): Promise<void> {
  const { bfree, files, ffree } = await statfs(path);
  if (files > 0 && ffree === 0) throw new Error(`${path} cannot be used: no inode is left`);
  if (bfree === 0) throw new Error(`${path} cannot be used: no space is left`);
}
