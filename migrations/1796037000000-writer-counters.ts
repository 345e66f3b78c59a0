import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { alterLedger } from './takeover/alter-ledger';
import { ledgerShape } from './takeover/ledger-shape';

/** Counters that decide where a row lock or a clock decided before. Each defaults, so that older versions still write. */
const COUNTERS: Readonly<Record<string, readonly string[]>> = {
  target_mounts: [
    'revision BIGINT NOT NULL DEFAULT 0 AFTER backup_target_id',
    'lease_renewals BIGINT NOT NULL DEFAULT 0 AFTER lease_owner',
    'lease_ms INT NULL AFTER lease_renewals',
  ],
  lease_waiters: ['asks BIGINT NOT NULL DEFAULT 0 AFTER owner'],
  nodes: ['lease_renewals BIGINT NOT NULL DEFAULT 0 AFTER lease_owner'],
  mount_operations: ['arrival BIGINT NULL AFTER epoch'],
  idempotency_keys: ['begun BOOLEAN NOT NULL DEFAULT FALSE AFTER operation_id'],
};

/**
 * What a database cluster needs: a row lock is not seen by the other nodes of a Galera cluster, and the clocks of its
 * nodes differ.
 */
export class WriterCounters1796037000000 implements MigrationInterface {
  name = 'WriterCounters1796037000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const [table, columns] of Object.entries(COUNTERS)) {
      const missing: string[] = [];
      for (const column of columns) {
        if (!(await runner.hasColumn(table, column.split(' ')[0]))) missing.push(`ADD COLUMN ${column}`);
      }
      if (missing.length > 0) await runner.query(`ALTER TABLE ${table} ${missing.join(', ')}`);
    }
    const [index] = (await runner.query(
      "SHOW INDEX FROM mount_operations WHERE Key_name = 'idx_operation_arrival'",
    )) as unknown[];
    if (index === undefined) {
      await runner.query(
        'ALTER TABLE mount_operations ADD KEY idx_operation_arrival (host, backup_target_id, arrival)',
      );
    }
    await runner.query(`CREATE TABLE IF NOT EXISTS target_arrivals (
      host VARCHAR(255) NOT NULL,
      backup_target_id VARCHAR(255) NOT NULL,
      arrival BIGINT NOT NULL,
      PRIMARY KEY (host, backup_target_id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`);
    await alterLedger(runner, async () => {
      const shape = await ledgerShape(runner);
      if (shape?.columns.has('lease_renewals')) return null;
      return ['ADD COLUMN lease_renewals BIGINT NOT NULL DEFAULT 0'];
    });
  }

  /** Migrations go forward only. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}
