import { readdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { CHILD_RUNNER, type ChildRunner } from '../processes/child-runner.interface';
import { MOUNT_TABLE, type MountTable } from './mount-table.interface';

/** Stands in the directory of a target that was unmounted: whoever sees it does not see the target. */
export const MARKER = '.dms-not-mounted';
const MARKER_TEXT = `Nothing is mounted here: this directory belongs to the mount service and is not the backup target.
What is written here reaches no backup target. Ask for a mount first.
The directory is immutable. To remove it by hand where no dms-server runs any more: chattr -i on it, then rm -r.
`;
const CHILD_MS = 5_000;
/** A mount of the directory on itself, read-only: for file systems without an immutable flag. Root obeys it, too. */
const COVER = String.raw`
mount --bind -- "$1" "$1" && mount -o remount,bind,ro,nosuid,nodev -- "$1" || { umount -c "$1"; exit 1; }`;

/**
 * Locks a directory in which nothing is mounted, so that not even root fills it by mistake: by the immutable flag, or
 * where the file system has none by a read-only placeholder. To be called for one path at a time.
 */
@Injectable()
export class BareDirectory {
  readonly #log = new Logger('Mountpoints');

  constructor(
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    @Inject(CHILD_RUNNER) private readonly children: ChildRunner,
  ) {}

  /** @throws DmsError MOUNT_FAILED where it cannot be locked in any way */
  async lock(path: string): Promise<void> {
    if (await this.table.hasPlaceholder(path)) return;
    const flag = await this.#run(path, 'chattr', ['+i', path]);
    if (flag === null) return;
    this.#log.debug(`chattr +i ${path}: ${flag}`);
    const cover = await this.#run(path, '/bin/sh', ['-c', COVER, 'sh', path]);
    if (cover === null) return;
    throw new DmsError(
      'MOUNT_FAILED',
      `${path} cannot be made unwritable while nothing is mounted: ${cover}`,
    );
  }

  async unlock(path: string): Promise<void> {
    if (await this.table.hasPlaceholder(path)) await this.#run(path, 'umount', ['-c', path]);
    const flag = await this.#run(path, 'chattr', ['-i', path]);
    if (flag !== null) this.#log.debug(`chattr -i ${path}: ${flag}`);
  }

  /** Puts the marker into an empty directory, and locks it. */
  async mark(path: string): Promise<void> {
    await this.unlock(path);
    await writeFile(join(path, MARKER), MARKER_TEXT, { mode: 0o444, flag: 'wx' });
    await this.lock(path);
  }

  /** Takes the marker away, if it is there and alone; leaves the directory unlocked then. */
  async unmark(path: string): Promise<void> {
    const entries = await readdir(path);
    if (entries.length !== 1 || entries[0] !== MARKER) return;
    await this.unlock(path);
    await unlink(join(path, MARKER));
  }

  /** @returns why it failed, null where it did not @throws DmsError NODE_FULL if nothing can be started now */
  async #run(path: string, program: string, args: readonly string[]): Promise<string | null> {
    const outcome = await this.children.run({ targetId: path, program, args, deadlineMs: CHILD_MS });
    if (outcome.kind === 'exited' && outcome.code === 0) return null;
    if (outcome.kind === 'not-started' && outcome.isShortage) throw new DmsError('NODE_FULL', outcome.reason);
    return outcome.kind === 'not-started' ? outcome.reason : outcome.output.trim() || outcome.kind;
  }
}
