import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { alterLedger } from './takeover/alter-ledger';
import { ledgerShape } from './takeover/ledger-shape';

/** Under which id a request is found in the logs of clients and nodes; and counting claims and losses by an index. */
export class RequestIds1795272000000 implements MigrationInterface {
  name = 'RequestIds1795272000000';

  async up(runner: QueryRunner): Promise<void> {
    if (!(await runner.hasColumn('mount_operations', 'request_id'))) {
      await runner.query(
        'ALTER TABLE mount_operations ADD COLUMN request_id VARCHAR(128) NULL AFTER project_id',
      );
    }
    await alterLedger(runner, async () => {
      const shape = await ledgerShape(runner);
      return shape?.indexes.has('idx_state') ? null : ['ADD KEY idx_state (state)'];
    });
  }

  /** Migrations go forward only. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}
