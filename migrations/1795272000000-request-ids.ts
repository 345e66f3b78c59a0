import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Under which id a request is found in the logs of clients and nodes; and counting claims and losses by an index. */
export class RequestIds1795272000000 implements MigrationInterface {
  name = 'RequestIds1795272000000';

  async up(runner: QueryRunner): Promise<void> {
    if (!(await runner.hasColumn('mount_operations', 'request_id'))) {
      await runner.query(
        'ALTER TABLE mount_operations ADD COLUMN request_id VARCHAR(128) NULL AFTER project_id',
      );
    }
    const [known] = (await runner.query(
      `SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE()
         AND table_name = 'backup_target_mount_ledger' AND index_name = 'idx_state'`,
    )) as unknown[];
    if (known === undefined)
      await runner.query('ALTER TABLE backup_target_mount_ledger ADD INDEX idx_state (state)');
  }

  /** Migrations go forward only. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}
