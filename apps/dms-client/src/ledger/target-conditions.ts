/** Bindings of the target `t` that are claimed or held, for EXISTS. */
export const COUNTED = `SELECT 1 FROM backup_target_mount_ledger b WHERE b.host = t.host AND b.backup_target_id = t.backup_target_id
  AND NOT COALESCE(b.deleted, FALSE) AND (b.mounted OR b.state = 'claimed')`;

/**
 * A request for the target `t` that a living process works on: it takes the mount away itself. For EXISTS; its one
 * parameter is after how many microseconds without a renewal a process counts as gone.
 */
export const WORKED_ON = `SELECT 1 FROM mount_operations w WHERE w.host = t.host AND w.backup_target_id = t.backup_target_id
  AND w.status = 'executing' AND w.renewed_at >= NOW(6) - INTERVAL ? MICROSECOND`;
