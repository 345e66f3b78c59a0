import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { checkWay } from '../kernel/guarded-path';
import { MOUNT_TABLE, type MountEntry, type MountTable } from '../kernel/mount-table.interface';
import { CHILD_RUNNER, type ChildOutcome, type ChildRunner } from '../processes/child-runner.interface';
import { waitUntil } from '../processes/delay';
import { allows, type HarshStep, type ServerSettings, SETTINGS } from '../settings/server.settings';
import { type Deadline } from './target-provider.interface';

/**
 * How a line of output says EBUSY: umount(8) "target is busy", its NFS helper "device is busy", libc "Device or resource
 * busy". None of them has an exit status for it. Only the end of a line is read, because the path stands before it.
 */
const BUSY = /: ((target|device) is busy|(device or )?resource busy)\.?$/im;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;
const HARSH_OPTIONS: readonly (readonly [HarshStep, string])[] = [
  ['lazy', '-l'],
  ['force', '-f'],
];
const AFTER_FORCE_MS = 1_000;

export interface LayerToTakeOut {
  readonly targetId: string;
  readonly mountPath: string;
  /** True for the layers that may be unmounted; no other is touched. */
  readonly isOurs: (layer: MountEntry) => boolean;
  /** Words before the command, e.g. `sudo`. */
  readonly commandPrefix?: readonly string[];
  /** Done before each try, because users write while a mount is busy. @returns why not to try; null: go on */
  readonly beforeUmount?: () => Promise<string | null>;
}

/** `out`: no layer of ours is left at the path; `harsh`: by the step that an operator allows, which loses data. */
export type TakeOutResult =
  | { readonly kind: 'out'; readonly harsh: HarshStep | null }
  | { readonly kind: 'busy' }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Takes a layer away by a plain umount(8): lazily or by force, which lose what is not written yet, only as far as
 * `DMS_UNMOUNT_POLICY` allows.
 */
@Injectable()
export class LayerUnmounter {
  readonly #log = new Logger('Unmount');

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    @Inject(CHILD_RUNNER) private readonly children: ChildRunner,
  ) {}

  /** Goes on trying while somebody uses the mount, for `DMS_BUSY_TIMEOUT` at most. */
  async takeOut(layer: LayerToTakeOut, deadline: Deadline): Promise<TakeOutResult> {
    const busyEnd = performance.now() + this.settings.busyTimeoutMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const layers = await this.table.layersAt(layer.mountPath);
      const top = layers.at(-1);
      if (top === undefined || !layers.some(layer.isOurs)) return { kind: 'out', harsh: null };
      if (!layer.isOurs(top)) return { kind: 'failed', reason: 'another mount lies over it' };
      const danger = await dangerOnWay(layer.mountPath);
      if (danger !== null) return { kind: 'failed', reason: danger };
      const reason = (await layer.beforeUmount?.()) ?? null;
      if (reason !== null) return { kind: 'failed', reason };
      const outcome = await this.#umount(layer, deadline);
      if (outcome.kind === 'exited' && outcome.code === 0) continue;
      const left = await this.table.layersAt(layer.mountPath);
      if (!left.some(layer.isOurs)) return { kind: 'out', harsh: null };
      if (outcome.kind !== 'exited' || !BUSY.test(outcome.output)) {
        return { kind: 'failed', reason: failureOf(outcome, deadline) };
      }
      const leftMs = Math.min(busyEnd - performance.now(), deadline.remainingMs());
      if (leftMs <= pauseMs) return await this.#harshly(layer, deadline);
      await sleep(pauseMs);
    }
  }

  /** What an operator has allowed for mounts that stay busy. */
  async #harshly(layer: LayerToTakeOut, deadline: Deadline): Promise<TakeOutResult> {
    const isOut = async (): Promise<true | null> =>
      !(await this.table.layersAt(layer.mountPath)).some(layer.isOurs) || null;
    for (const [step, option] of HARSH_OPTIONS) {
      if (!allows(this.settings, step)) continue;
      this.#log.warn(`${layer.mountPath} stays busy: umount ${option}, as DMS_UNMOUNT_POLICY allows`);
      await this.#umount(layer, deadline, [option]);
      // After a forced one the users get errors; once they have let go, a plain one does.
      const took = await waitUntil(Math.min(AFTER_FORCE_MS, deadline.remainingMs()), async () => {
        if (step === 'force') await this.#umount(layer, deadline);
        return await isOut();
      });
      if (took !== null) return { kind: 'out', harsh: step };
    }
    return { kind: 'busy' };
  }

  #umount(layer: LayerToTakeOut, deadline: Deadline, options: readonly string[] = []): Promise<ChildOutcome> {
    // -c: umount(8) is not to resolve the path, for that would touch the mount, and a dead one would hold it.
    const words = [...(layer.commandPrefix ?? []), 'umount', '-c', ...options, layer.mountPath];
    return this.children.run({
      targetId: layer.targetId,
      program: words[0],
      args: words.slice(1),
      deadlineMs: deadline.remainingMs(),
    });
  }
}

/** Why umount(8) could be led to another mount than was looked at, null where it cannot: it knows paths only. */
async function dangerOnWay(path: string): Promise<string | null> {
  try {
    await checkWay(path);
    return null;
  } catch (error) {
    if (error instanceof DmsError) return error.message;
    throw error;
  }
}

function failureOf(outcome: ChildOutcome, { setBy }: Deadline): string {
  switch (outcome.kind) {
    case 'deadline':
      return `umount did not return within ${setBy}`;
    case 'not-started':
      return outcome.reason;
    case 'exited':
      return outcome.output.trim() || `umount ended with ${outcome.signal ?? outcome.code}`;
  }
}
