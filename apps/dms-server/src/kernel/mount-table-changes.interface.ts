/** Tells at once that the mount table has changed, without reading it over and over. */
export interface MountTableChanges {
  /** @param changed called after each change; several that come together may be told as one */
  begin(changed: () => void): void;
  end(): void;
}

export const MOUNT_TABLE_CHANGES = Symbol('MountTableChanges');
