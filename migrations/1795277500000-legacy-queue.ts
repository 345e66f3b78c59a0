import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Whether each node has lost `dms.<node>`, the queue by which legacy callers reach it. */
export class LegacyQueue1795277500000 implements MigrationInterface {
  name = 'LegacyQueue1795277500000';

  async up(runner: QueryRunner): Promise<void> {
    if (await runner.hasColumn('nodes', 'legacy_queue_lost')) return;
    await runner.query('ALTER TABLE nodes ADD COLUMN legacy_queue_lost TINYINT NULL');
  }

  /** Migrations go forward only. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}
