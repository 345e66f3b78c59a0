/** Bindings of the target `t` that are claimed or held, for EXISTS. */
export const COUNTED = `SELECT 1 FROM backup_target_mount_ledger b WHERE b.host = t.host AND b.backup_target_id = t.backup_target_id
  AND NOT COALESCE(b.deleted, FALSE) AND (b.mounted OR b.state = 'claimed')`;
