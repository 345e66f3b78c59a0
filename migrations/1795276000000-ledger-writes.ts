import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { alterLedger } from './takeover/alter-ledger';
import { ledgerShape } from './takeover/ledger-shape';

/**
 * When each row was written last, whoever wrote it: the database sets it, for `updated_at` is set by Python programs to
 * the time of their own clocks. TIMESTAMP, so that it does not depend on the time zone of the session that writes.
 */
export class LedgerWrites1795276000000 implements MigrationInterface {
  name = 'LedgerWrites1795276000000';

  async up(runner: QueryRunner): Promise<void> {
    await alterLedger(runner, async () => {
      const shape = await ledgerShape(runner);
      if (shape?.columns.has('written_at')) return null;
      return [
        'ADD COLUMN written_at TIMESTAMP(6) NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)',
      ];
    });
  }

  /** Migrations go forward only. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}
