/** One line of /proc/self/mountinfo (proc_pid_mountinfo(5)), octal escapes resolved. */
export interface MountEntry {
  readonly mntId: number;
  readonly parentId: number;
  /** `major:minor`. */
  readonly device: string;
  readonly root: string;
  /** Without the ` (deleted)` (written `//deleted`) that the kernel appends where the directory was removed. */
  readonly mountPath: string;
  readonly deleted: boolean;
  readonly options: readonly string[];
  readonly fstype: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

/** `unfinished`: the directory is mounted on itself, and can be written to. */
export type Placeholder = 'none' | 'unfinished' | 'stands';

/**
 * The kernel's mount table: the only witness of what is mounted. Reading it never touches a mount.
 *
 * Placeholders are no mounts: read-only mounts of a directory on itself, which show what would be there without them.
 */
export interface MountTable {
  /** All entries, in the kernel's order: of stacked layers the last one is on top. */
  read(): Promise<MountEntry[]>;
  /** The layers exactly at `path` (compared byte for byte), lowest first. */
  layersAt(path: string): Promise<MountEntry[]>;
  /** Whether a placeholder keeps the directory at `path` from being written to, mounted over or not. */
  placeholderAt(path: string): Promise<Placeholder>;
  /**
   * Does `work`, which may make placeholders at `paths`. That takes the kernel two steps: until `work` has ended, one
   * that can still be written to is no mount either.
   */
  whileMaking<T>(paths: readonly string[], work: () => Promise<T>): Promise<T>;
}

export const MOUNT_TABLE = Symbol('MountTable');
