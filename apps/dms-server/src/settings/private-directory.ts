import { mkdir, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/**
 * Makes the run directory where it is missing, for root alone, and looks whether others could exchange what lies in it:
 * the node's memory, its keys, and which process is whose daemon.
 *
 * @throws Error that names the setting, and the directory that others can change
 */
export async function requireRunDirectory(runDir: string): Promise<void> {
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  // A symbolic link such as /var/run is for root to make.
  const real = await realpath(runDir);
  for (let directory = real; ; directory = dirname(directory)) {
    const { uid, mode } = await stat(directory);
    const isRoots = uid === 0 || uid === process.geteuid?.();
    const isShared = (mode & WRITABLE_BY_OTHERS) !== 0 && (directory === real || (mode & STICKY) === 0);
    if (!isRoots || isShared) {
      throw new Error(
        `DMS_RUN_DIR: ${directory} can be changed by others than root: "chown root:root" and "chmod 755" it, or name another directory`,
      );
    }
    if (directory === dirname(directory)) return;
  }
}
