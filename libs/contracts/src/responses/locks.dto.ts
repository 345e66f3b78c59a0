/** A process's right to command one target, which runs out by itself when the process dies. */
export class LockDto {
  host: string;
  backup_target_id: string;
  /** Host and pid of the process. */
  owner: string;
  /** ISO 8601, UTC; it is renewed while a command is under way. */
  expires_at: string;
  expired: boolean;
  /** Processes that wait for it, in the order in which they came. */
  waiting: number;
  /** Since when the first of them has waited, ISO 8601, UTC; null: nobody waits. */
  waiting_since: string | null;
}

export class LockListDto {
  locks: LockDto[];
}
