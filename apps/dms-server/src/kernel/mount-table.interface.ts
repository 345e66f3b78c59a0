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

/** The kernel's mount table: the only witness of what is mounted. Reading it never touches a mount. */
export interface MountTable {
  /** All entries, in the kernel's order: of stacked layers the last one is on top. */
  read(): Promise<MountEntry[]>;
  /** The layers exactly at `path` (compared byte for byte), lowest first. */
  layersAt(path: string): Promise<MountEntry[]>;
}

export const MOUNT_TABLE = Symbol('MountTable');
