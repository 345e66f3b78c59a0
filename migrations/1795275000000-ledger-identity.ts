import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Which ledger this is, and which one each node serves. A backup keeps it: what is restored from it is the same ledger. */
export class LedgerIdentity1795275000000 implements MigrationInterface {
  name = 'LedgerIdentity1795275000000';

  async up(runner: QueryRunner): Promise<void> {
    // One row: nodes that have mounts of this ledger refuse the commands of others.
    await runner.query(`CREATE TABLE IF NOT EXISTS ledger_identity (
      only_row TINYINT NOT NULL DEFAULT 1,
      ledger_id CHAR(36) NOT NULL,
      PRIMARY KEY (only_row)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`);
    await runner.query('INSERT IGNORE INTO ledger_identity (only_row, ledger_id) VALUES (1, UUID())');
    if (await runner.hasColumn('nodes', 'served_ledger')) return;
    await runner.query('ALTER TABLE nodes ADD COLUMN served_ledger VARCHAR(64) NULL');
  }

  /** Migrations go forward only. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}
