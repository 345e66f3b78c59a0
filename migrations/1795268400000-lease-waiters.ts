import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** Who waits for the lease of a target, in order of arrival. */
export class LeaseWaiters1795268400000 implements MigrationInterface {
  name = 'LeaseWaiters1795268400000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE IF NOT EXISTS lease_waiters (
      id BIGINT NOT NULL AUTO_INCREMENT,
      host VARCHAR(255) NOT NULL,
      backup_target_id VARCHAR(255) NOT NULL,
      token CHAR(36) NOT NULL,
      owner VARCHAR(255) NOT NULL,
      waits_since DATETIME(6) NOT NULL,
      expires_at DATETIME(6) NOT NULL,
      PRIMARY KEY (id),
      UNIQUE KEY uq_lease_waiters_token (token),
      KEY idx_lease_waiters_target (host, backup_target_id, id)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin`);
  }

  /** Migrations go forward only. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}
