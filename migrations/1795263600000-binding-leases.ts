import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { alterLedger } from './takeover/alter-ledger';
import { ledgerShape } from './takeover/ledger-shape';

/** Leases of bindings, and the clock by which they expire. */
export class BindingLeases1795263600000 implements MigrationInterface {
  name = 'BindingLeases1795263600000';

  async up(runner: QueryRunner): Promise<void> {
    await alterLedger(runner, async () => {
      const shape = await ledgerShape(runner);
      if (shape?.columns.has('lease_s')) return null;
      return ['ADD COLUMN lease_s INT NULL', 'ADD KEY idx_lease_expires_at (lease_expires_at)'];
    });
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
