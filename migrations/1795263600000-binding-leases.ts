import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Leases of bindings, and the clock by which they expire. */
export class BindingLeases1795263600000 implements MigrationInterface {
  name = 'BindingLeases1795263600000';

  async up(runner: QueryRunner): Promise<void> {
    if (!(await hasLeaseColumn(runner))) {
      await runner.query(`ALTER TABLE backup_target_mount_ledger
        ADD COLUMN lease_s INT NULL, ADD KEY idx_lease_expires_at (lease_expires_at)`);
    }
    // One row: since when, and when last, a dms-client could have renewed leases.
    await runner.query(`CREATE TABLE IF NOT EXISTS service_uptime (
      id TINYINT NOT NULL,
      up_since DATETIME(6) NOT NULL,
      last_beat DATETIME(6) NOT NULL,
      PRIMARY KEY (id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`);
  }

  /** Migrations go forward only. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}

async function hasLeaseColumn(runner: QueryRunner): Promise<boolean> {
  const rows = (await runner.query(
    `SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
       AND TABLE_NAME = 'backup_target_mount_ledger' AND COLUMN_NAME = 'lease_s'`,
  )) as unknown[];
  return rows.length > 0;
}
