import { type TargetRequestDto, type TargetType } from '@app/contracts';
import { type MountEntry } from '../kernel/mount-table.interface';
import { type MountedAs } from '../fence/target-record';

/** A point in time until which something may take. */
export interface Deadline {
  /** Milliseconds left; 0 when it has passed. */
  remainingMs(): number;
  /** What it was set by, as messages name it after "within": a setting with its value, or the command. */
  readonly setBy: string;
}

export interface MountPlan {
  readonly targetId: string;
  readonly request: TargetRequestDto;
  /** Normalised export or secret reference. */
  readonly source: string;
  /** A directory that nothing is mounted on. */
  readonly mountPath: string;
  readonly readOnly: boolean;
}

export interface UnmountPlan {
  readonly targetId: string;
  readonly mountedAs: MountedAs;
  /** Its daemon was found to hang, and its holders were told that the mount is broken: nobody counts on it any more. */
  readonly hung?: boolean;
  /** Tells whether another mount namespace still has it, once it is unmounted here. */
  readonly livesElsewhere: () => Promise<boolean>;
  /** Its mount was gone before the unmount began, and no earlier unmount took it away: its daemon flushes nothing. */
  readonly left?: boolean;
  /** Is to be told at once that a flush failed, before anything more is done: what comes after may fail or be cut short. */
  readonly flushFailed?: (reason: string) => Promise<void>;
}

/**
 * How an unmount went.
 * - `gone`: no layer is left and, for FUSE, the daemon has exited; `flushVerified` says whether it is known to have
 *   flushed cleanly (null: not applicable), `detail` what it said otherwise; `everywhere`: the file system itself has
 *   ended, so that no other mount namespace can have it;
 * - `busy`: somebody uses it, it stands as before; or it is unmounted here and lives on in another mount namespace;
 * - `failed`: it may stand or not: look.
 */
export type UnmountResult =
  | {
      readonly kind: 'gone';
      readonly flushVerified: boolean | null;
      readonly detail: string | null;
      readonly everywhere: boolean;
    }
  | { readonly kind: 'busy' }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Mounts one type of target. A provider works on one target at a time for each target id (the caller's queue sees to
 * it) and on many targets at once. A new type is one folder beside this file and one line in the providers module.
 */
export interface TargetProvider {
  readonly type: TargetType;

  /**
   * Mounts and returns once the mount is in the mount table and has answered a readdir.
   * Where it fails it has taken back what it did as far as it could; the caller looks at the mount table again.
   *
   * @param makeMountpoint to be called once, as soon as the mount may be tried; resolves when the guarded, empty directory
   *   stands. Until then nothing may be mounted, and what takes long beside it, such as reading a secret, need not wait.
   *   What it rejects with is to be thrown.
   * @returns the layer that it made
   * @throws DmsError MOUNT_FAILED (with the program's own words), SECRET_UNAVAILABLE, AUTH_EXPIRED, FORBIDDEN, TIMEOUT
   */
  mount(plan: MountPlan, makeMountpoint: () => Promise<void>, deadline: Deadline): Promise<MountEntry>;

  /** Takes the layer away: umount first, backoff while busy, signals only as far as policy allows. */
  unmount(plan: UnmountPlan, deadline: Deadline): Promise<UnmountResult>;

  /**
   * Removes records, logs and PID files of a target that is not mounted and whose daemon has ended.
   *
   * @returns what the end of that daemon says of data that is not stored, if nobody has read it yet; else null
   */
  clear(targetId: string, mountPath: string): Promise<string | null>;

  /** Pid of the process that serves the mount, null where there is none (NFS) or it is gone. */
  daemonPid(targetId: string): Promise<number | null>;

  /**
   * True if `layer` is the mount that was seen, or shows the file system type and source that are expected.
   *
   * @param isClaim the mount was begun where nothing was mounted, and its end was not seen: then a layer may be its own
   *   that shows another source than was asked for
   */
  owns(layer: MountEntry, mountedAs: MountedAs, isClaim?: boolean): boolean;
}

export const TARGET_PROVIDERS = Symbol('TargetProviders');
