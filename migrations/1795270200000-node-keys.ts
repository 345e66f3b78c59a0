import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Keys of the nodes: the ones that count, and the one that was refused last. */
export class NodeKeys1795270200000 implements MigrationInterface {
  name = 'NodeKeys1795270200000';

  async up(runner: QueryRunner): Promise<void> {
    const rows = (await runner.query(
      `SELECT 1 FROM information_schema.COLUMNS
       WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'nodes' AND COLUMN_NAME = 'pinned_keys'`,
    )) as unknown[];
    if (rows.length > 0) return;
    await runner.query(
      'ALTER TABLE nodes ADD COLUMN pinned_keys TEXT NULL, ADD COLUMN refused_key_id VARCHAR(64) NULL',
    );
  }

  /** Migrations go forward only. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}
