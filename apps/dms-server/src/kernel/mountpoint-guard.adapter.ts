import { chmod, mkdir, rmdir } from 'node:fs/promises';
import { Inject, Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { CHILD_RUNNER, type ChildRunner } from '../processes/child-runner.interface';
import { type ServerSettings, SETTINGS } from '../settings/server.settings';
import { baseOf, isEmptyDirectory, prepareWay } from './guarded-path';
import { MOUNT_TABLE, type MountTable } from './mount-table.interface';
import { type MountpointGuard } from './mountpoint-guard.interface';

const CHATTR_MS = 5_000;

@Injectable()
export class MountpointGuardAdapter implements MountpointGuard, OnModuleDestroy {
  readonly #log = new Logger('Mountpoints');
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** What is under way for a path: nothing else begins for it before that has ended. */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    @Inject(CHILD_RUNNER) private readonly children: ChildRunner,
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
    const timer = setTimeout(() => {
      this.remove(path).catch((error: unknown) => this.#log.error(error));
    }, this.settings.mountpointGraceMs);
    this.#timers.set(path, timer.unref());
  }

  onModuleDestroy(): void {
    for (const path of this.#timers.keys()) this.#cancel(path);
  }

  async #prepare(path: string): Promise<void> {
    const base = baseOf(path, this.settings.mountBases);
    const mounts = await this.table.read();
    await prepareWay(path, base, mounts);
    // To look at a directory in which something is mounted is to touch that mount.
    if (mounts.some((mount) => mount.mountPath === path)) {
      throw new DmsError('MOUNT_FAILED', `Something is mounted on ${path} already.`);
    }
    const isEmpty = await isEmptyDirectory(path);
    if (isEmpty === false) {
      throw new DmsError(
        'MOUNT_FAILED',
        `${path} is not empty: a mount would hide what lies there. Move it away, or mount on another path.`,
      );
    }
    if (isEmpty === null) await mkdir(path, { mode: 0 });
    else await this.#close(path);
    await this.#chattr('+i', path);
  }

  /** Takes the permissions of a directory that was there before; an immutable one was closed by us. */
  async #close(path: string): Promise<void> {
    await chmod(path, 0).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPERM') throw error;
    });
  }

  async #remove(path: string): Promise<void> {
    baseOf(path, this.settings.mountBases);
    if ((await this.table.layersAt(path)).length > 0) return;
    const isEmpty = await isEmptyDirectory(path);
    if (isEmpty === null) return;
    if (!isEmpty) {
      this.#log.warn(`${path} is not mounted and not empty: it is left as it is.`);
      return;
    }
    await this.#chattr('-i', path);
    await rmdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return;
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EBUSY' && error.code !== 'EEXIST') throw error;
      this.#log.warn(`${path} is in use again: it is left as it is.`);
    });
  }

  /** Sets or takes the immutable flag; not every file system has it. */
  async #chattr(change: '+i' | '-i', path: string): Promise<void> {
    const outcome = await this.children.run({
      targetId: path,
      program: 'chattr',
      args: [change, path],
      deadlineMs: CHATTR_MS,
    });
    if (outcome.kind === 'exited' && outcome.code === 0) return;
    const reason = outcome.kind === 'not-started' ? outcome.reason : outcome.output.trim();
    this.#log.debug(`chattr ${change} ${path}: ${reason}`);
  }

  #cancel(path: string): void {
    clearTimeout(this.#timers.get(path));
    this.#timers.delete(path);
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
