/** A process's right to command one target, which runs out by itself when the process dies. */
export class LockDto {
  host: string;
  backup_target_id: string;
  /** Host and pid of the process. */
  owner: string;
  /** ISO 8601, UTC; it is renewed while a command is under way. */
  expires_at: string;
  expired: boolean;
}

export class LockListDto {
  locks: LockDto[];
}
