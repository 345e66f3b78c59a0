import { type Connection } from 'mysql2/promise';

/** The ledger as the Python system makes it. */
export const PYTHON_TABLE = `CREATE TABLE backup_target_mount_ledger (
  created_at datetime, updated_at datetime, deleted_at datetime, deleted tinyint, version varchar(255),
  jobid int NOT NULL, backup_target_id varchar(255) NOT NULL, host varchar(255) NOT NULL, mounted tinyint,
  PRIMARY KEY (jobid, backup_target_id, host), KEY idx_target_host_mounted (backup_target_id, host, mounted),
  KEY idx_jobid (jobid)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`;

/** The columns that the Python system knows. */
export const PYTHON_COLUMNS =
  'created_at, updated_at, deleted_at, deleted, version, jobid, backup_target_id, host, mounted';

const NOW = 'UTC_TIMESTAMP()';

/** The statements of the Python client, in one transaction that is open while it waits for its node. */
export class PythonLedger {
  constructor(private readonly connection: Connection) {}

  /** The jobs that hold the target on the host; begins a transaction. */
  async active(targetId: string, host: string): Promise<number[]> {
    await this.connection.query('START TRANSACTION');
    const [rows] = await this.connection.query(
      `SELECT ${PYTHON_COLUMNS} FROM backup_target_mount_ledger WHERE backup_target_id = ? AND host = ? AND mounted = 1`,
      [targetId, host],
    );
    return (rows as { jobid: unknown }[]).map(({ jobid }) => Number(jobid));
  }

  /** Writes that the job holds the target, and commits. As that client does, it sets `deleted_at` at once. */
  async mounted(jobid: number, targetId: string, host: string): Promise<void> {
    const key = [jobid, targetId, host];
    const [rows] = await this.connection.query(
      'SELECT jobid FROM backup_target_mount_ledger WHERE jobid = ? AND backup_target_id = ? AND host = ?',
      key,
    );
    await this.connection.query(
      (rows as object[]).length > 0
        ? `UPDATE backup_target_mount_ledger SET mounted = 1, updated_at = ${NOW}
           WHERE jobid = ? AND backup_target_id = ? AND host = ?`
        : `INSERT INTO backup_target_mount_ledger (${PYTHON_COLUMNS})
           VALUES (${NOW}, ${NOW}, ${NOW}, 0, '1.0', ?, ?, ?, 1)`,
      key,
    );
    await this.connection.query('COMMIT');
  }

  /** Writes that the job holds it no more, and commits. */
  async unmounted(jobid: number, targetId: string, host: string): Promise<void> {
    await this.connection.query(
      `UPDATE backup_target_mount_ledger SET mounted = 0, updated_at = ${NOW}
       WHERE jobid = ? AND backup_target_id = ? AND host = ?`,
      [jobid, targetId, host],
    );
    await this.connection.query('COMMIT');
  }

  async rollback(): Promise<void> {
    await this.connection.query('ROLLBACK');
  }
}
