import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { CHILD_RUNNER, type ChildRunner } from '../processes/child-runner.interface';
import { scriptPath } from '../processes/scripts';
import { MOUNT_TABLE, type MountTable } from './mount-table.interface';

/** Stands in the directory of a target that was unmounted: whoever sees it does not see the target. */
export const MARKER = '.dms-not-mounted';
const MARKER_TEXT = `Nothing is mounted here: this directory belongs to the mount service and is not the backup target.
What is written here reaches no backup target. Ask for a mount first.
The directory is immutable. To remove it by hand where no dms-server runs any more: chattr -i on it, then rm -r.
`;
const CHILD_MS = 10_000;
/** A mount of the directory on itself, read-only: for file systems without an immutable flag. Root obeys it, too. */
const COVER = String.raw`
mount --bind -- "$1" "$1" && mount -o remount,bind,ro,nosuid,nodev -- "$1" || { umount -c "$1"; exit 1; }`;

interface Failure {
  /** Exit status, null where there is none. */
  readonly status: number | null;
  readonly words: string;
}

/** Exit status of bare-directory.sh. */
const SOMEBODY_ELSES = 3;

/**
 * Keeps a directory in which nothing is mounted locked, so that not even root fills it by mistake: by the immutable flag,
 * or where the file system has none by a read-only placeholder. What is done to a locked directory is done by
 * bin/bare-directory.sh, under whose hands it is never open to others. To be called for one path at a time.
 */
@Injectable()
export class BareDirectory {
  readonly #log = new Logger('Mountpoints');

  constructor(
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    @Inject(CHILD_RUNNER) private readonly children: ChildRunner,
  ) {}

  /**
   * Makes it, empty and locked from the first moment.
   *
   * @returns false where the directory above it is gone
   * @throws DmsError MOUNT_FAILED where it cannot be made, or somebody else has made it meanwhile; an error of the
   *   operating system where there is no room for it
   */
  async make(path: string): Promise<boolean> {
    const fresh = join(dirname(path), `.dms-new-${randomUUID()}`);
    try {
      await mkdir(fresh, { mode: 0 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
    const outcome = await this.#runScript(path, ['make', fresh, path], [fresh, path]);
    if (outcome === null) return true;
    // Not by the program itself, where that was killed.
    if ((await this.table.placeholderAt(fresh)) !== 'none') await this.#uncover(path, fresh);
    await rmdir(fresh).catch((error: unknown) =>
      this.#log.debug({ msg: 'What was begun is gone, or in use', fresh, err: error }),
    );
    throw new DmsError('MOUNT_FAILED', `${path} cannot be made: ${outcome.words}`);
  }

  /**
   * Locks one that was there before.
   *
   * @throws DmsError MOUNT_FAILED where it cannot be locked in any way
   */
  async lock(path: string): Promise<void> {
    if ((await this.table.placeholderAt(path)) === 'stands') return;
    const flag = await this.#run(path, 'chattr', ['+i', path]);
    if (flag === null) return;
    this.#log.debug(`chattr +i ${path}: ${flag.words}`);
    const cover = await this.#runMaking([path], path, '/bin/sh', ['-c', COVER, 'sh', path]);
    if (cover === null) return;
    throw new DmsError(
      'MOUNT_FAILED',
      `${path} cannot be made unwritable while nothing is mounted: ${cover.words}`,
    );
  }

  /** Gives one back that turned out to be in use by somebody else. */
  async unlock(path: string): Promise<void> {
    if ((await this.table.placeholderAt(path)) === 'stands') await this.#run(path, 'umount', ['-c', path]);
    const flag = await this.#run(path, 'chattr', ['-i', path]);
    if (flag !== null) this.#log.debug(`chattr -i ${path}: ${flag.words}`);
  }

  /** Tells whether it holds the marker and nothing else. */
  async isMarked(path: string): Promise<boolean> {
    const entries = await readdir(path);
    return entries.length === 1 && entries[0] === MARKER;
  }

  /**
   * Puts the marker into an empty directory.
   *
   * @throws DmsError MOUNT_FAILED where that fails
   */
  async mark(path: string): Promise<void> {
    await this.#change('mark', path, MARKER_TEXT);
  }

  /**
   * Takes the marker away.
   *
   * @throws DmsError MOUNT_FAILED where that fails
   */
  async unmark(path: string): Promise<void> {
    await this.#change('unmark', path);
  }

  /**
   * Removes it, with the marker.
   *
   * @returns false if something else lies in it, or somebody mounted there
   * @throws DmsError MOUNT_FAILED where it fails for another reason
   */
  async remove(path: string): Promise<boolean> {
    return await this.#change('remove', path);
  }

  async #change(verb: string, path: string, ...text: string[]): Promise<boolean> {
    const covered = (await this.table.placeholderAt(path)) === 'stands' ? 'covered' : 'open';
    const args = [verb, path, covered, join(path, MARKER), ...text];
    const outcome = await this.#runScript(path, args, [path]);
    if (outcome === null) return true;
    if (outcome.status === SOMEBODY_ELSES) return false;
    throw new DmsError('MOUNT_FAILED', `${path} cannot be changed (${verb}): ${outcome.words}`);
  }

  #runScript(path: string, args: readonly string[], covers: readonly string[]): Promise<Failure | null> {
    return this.#runMaking(covers, path, scriptPath('bare-directory.sh'), args);
  }

  /** As `#run`, of a program that makes placeholders at `covers`: one that it could not finish is taken away. */
  #runMaking(
    covers: readonly string[],
    path: string,
    program: string,
    args: readonly string[],
  ): Promise<Failure | null> {
    return this.table.whileMaking(covers, async () => {
      const failure = await this.#run(path, program, args);
      if (failure === null) return null;
      for (const cover of covers) {
        if ((await this.table.placeholderAt(cover)) === 'unfinished') await this.#uncover(path, cover);
      }
      return failure;
    });
  }

  async #uncover(path: string, cover: string): Promise<void> {
    const failure = await this.#run(path, 'umount', ['-c', '-l', cover]);
    if (failure !== null) this.#log.warn(`A cover is left at ${cover}: ${failure.words}`);
  }

  /** @returns why it failed, null where it did not @throws DmsError NODE_FULL if nothing can be started now */
  async #run(path: string, program: string, args: readonly string[]): Promise<Failure | null> {
    const outcome = await this.children.run({ targetId: path, program, args, deadlineMs: CHILD_MS });
    if (outcome.kind === 'exited' && outcome.code === 0) return null;
    if (outcome.kind === 'not-started' && outcome.isShortage) throw new DmsError('NODE_FULL', outcome.reason);
    if (outcome.kind === 'not-started') return { status: null, words: outcome.reason };
    const status = outcome.kind === 'exited' ? outcome.code : null;
    return { status, words: outcome.output.trim() || outcome.kind };
  }
}
