import { chmod, lchown, lstat, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Inject, Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { type ServerSettings, SETTINGS } from '../settings/server.settings';
import { BareDirectory } from './bare-directory';
import { baseAccessOf } from './base-access';
import { baseOf, checkWay, isEmptyDirectory, prepareWay } from './guarded-path';
import { MadeDirectories } from './made-directories.repository';
import { MOUNT_TABLE, type MountEntry, type MountTable } from './mount-table.interface';
import { type MountpointGuard } from './mountpoint-guard.interface';

/** A directory that is mounted on again at once is not marked first: it is locked all the time. */
const MARK_MS = 1_000;
const PERMISSIONS = 0o777;

@Injectable()
export class MountpointGuardAdapter implements MountpointGuard, OnModuleDestroy {
  readonly #log = new Logger('Mountpoints');
  readonly #timers = new Map<string, readonly NodeJS.Timeout[]>();
  /** What is under way for a path: nothing else begins for it before that has ended. */
  readonly #underWay = new Map<string, Promise<void>>();
  #ways: Promise<void> = Promise.resolve();

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    private readonly bare: BareDirectory,
    private readonly directories: MadeDirectories,
  ) {}

  prepare(path: string): Promise<void> {
    this.#cancel(path);
    return this.#oneAtATime(path, () => this.#prepare(path));
  }

  remove(path: string): Promise<void> {
    this.#cancel(path);
    return this.#oneAtATime(path, () => this.#remove(path));
  }

  removeLater(path: string): void {
    this.#cancel(path);
    const later = (delayMs: number, work: () => Promise<void>): NodeJS.Timeout =>
      setTimeout(() => {
        this.#oneAtATime(path, work).catch((error: unknown) => {
          if (error instanceof DmsError) this.#log.warn(`${path} is left as it is: ${error.message}`);
          else this.#log.error(error);
        });
      }, delayMs).unref();
    const timers = [
      later(MARK_MS, () => this.#mark(path)),
      later(this.settings.mountpointGraceMs, async () => {
        if (this.#timers.get(path) === timers) this.#timers.delete(path);
        await this.#remove(path);
      }),
    ];
    this.#timers.set(path, timers);
  }

  made(): readonly string[] {
    return this.directories.list();
  }

  onModuleDestroy(): void {
    for (const path of this.#timers.keys()) this.#cancel(path);
  }

  async #prepare(path: string): Promise<void> {
    const base = baseOf(path, this.settings.mountBases);
    const mounts = await this.table.read();
    await this.#exclusively(() => this.#prepareWay(path, base, mounts));
    // To look at a directory in which something is mounted is to touch that mount.
    if (mounts.some((mount) => mount.mountPath === path)) {
      throw new DmsError('MOUNT_FAILED', `Something is mounted on ${path} already.`);
    }
    if ((await isEmptyDirectory(path)) === false && (await this.bare.isMarked(path)))
      await this.bare.unmark(path);
    const isEmpty = await isEmptyDirectory(path);
    if (isEmpty === false) throw notEmpty(path);
    if (isEmpty === null) return await this.#make(path, base, mounts);
    await this.#close(path);
    await this.bare.lock(path);
    // Whoever it belonged to may have been quicker.
    if ((await isEmptyDirectory(path)) === true) return;
    await this.bare.unlock(path);
    throw notEmpty(path);
  }

  async #prepareWay(path: string, base: string, mounts: readonly MountEntry[]): Promise<void> {
    this.directories.add(await prepareWay(path, base, mounts, baseAccessOf(this.settings)));
  }

  async #make(path: string, base: string, mounts: readonly MountEntry[]): Promise<void> {
    let isMade = await this.bare.make(path);
    // The way may have been removed with another mountpoint since it was made.
    if (!isMade) {
      await this.#exclusively(async () => {
        await this.#prepareWay(path, base, mounts);
        isMade = await this.bare.make(path);
      });
    }
    if (!isMade) throw new DmsError('MOUNT_FAILED', `${dirname(path)} was removed while ${path} was made.`);
    this.directories.add([path]);
  }

  /** Takes owner and permissions of a directory that was there before; an immutable one was closed by us. */
  async #close(path: string): Promise<void> {
    try {
      await lchown(path, process.geteuid?.() ?? 0, process.getegid?.() ?? 0);
      await chmod(path, 0);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EPERM' && code !== 'EROFS') throw error;
    }
  }

  /** Only a mountpoint: in what lies above it others are to be made. */
  async #mark(path: string): Promise<void> {
    if (!(await checkWay(path))) return;
    if ((await this.table.layersAt(path)).length > 0 || (await isEmptyDirectory(path)) !== true) return;
    if (((await lstat(path)).mode & PERMISSIONS) === 0) await this.bare.mark(path);
  }

  async #remove(path: string): Promise<void> {
    const base = baseOf(path, this.settings.mountBases);
    if ((await this.table.layersAt(path)).length > 0) return;
    // What is gone with its way is still to be forgotten.
    await checkWay(path);
    const isEmpty = await isEmptyDirectory(path);
    if (isEmpty === false && !(await this.bare.isMarked(path))) {
      this.#log.warn(`${path} is not mounted and not empty: it is left as it is.`);
      return;
    }
    if (isEmpty !== null && !(await this.bare.remove(path))) {
      this.#log.warn(`${path} is in use again: it is left as it is.`);
      return;
    }
    await this.#exclusively(async () => {
      this.directories.delete(path);
      await this.#removeWay(dirname(path), base);
    });
  }

  /** Removes what was made above a mountpoint, as far as nothing else lies in it. */
  async #removeWay(directory: string, base: string): Promise<void> {
    for (let above = directory; above !== base && this.directories.has(above); above = dirname(above)) {
      if (!(await this.#rmdir(above))) return;
      this.directories.delete(above);
    }
  }

  /** @returns false if something is in it, or on it */
  async #rmdir(path: string): Promise<boolean> {
    try {
      await rmdir(path);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return true;
      if (code !== 'ENOTEMPTY' && code !== 'EBUSY' && code !== 'EEXIST') throw error;
      return false;
    }
  }

  #cancel(path: string): void {
    for (const timer of this.#timers.get(path) ?? []) clearTimeout(timer);
    this.#timers.delete(path);
  }

  /** Ways are shared by mountpoints: they are made and removed by one at a time. */
  async #exclusively(work: () => Promise<void>): Promise<void> {
    const mine = this.#ways.then(work);
    this.#ways = mine.catch(() => undefined); // told to its own caller
    await mine;
  }

  async #oneAtATime(path: string, work: () => Promise<void>): Promise<void> {
    const before = this.#underWay.get(path);
    const mine = (async () => {
      await before?.catch(() => undefined); // its own caller is told
      await work();
    })();
    this.#underWay.set(path, mine);
    try {
      await mine;
    } finally {
      if (this.#underWay.get(path) === mine) this.#underWay.delete(path);
    }
  }
}

function notEmpty(path: string): DmsError {
  return new DmsError(
    'MOUNT_FAILED',
    `${path} is not empty: a mount would hide what lies there. Move it away, or mount on another path.`,
  );
}
