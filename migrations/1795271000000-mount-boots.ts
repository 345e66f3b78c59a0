import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** In which boot of its node a target was mounted: mount ids begin anew with each. */
export class MountBoots1795271000000 implements MigrationInterface {
  name = 'MountBoots1795271000000';

  async up(runner: QueryRunner): Promise<void> {
    if (await runner.hasColumn('target_mounts', 'boot_id')) return;
    await runner.query('ALTER TABLE target_mounts ADD COLUMN boot_id VARCHAR(64) NULL AFTER device');
  }

  /** Migrations go forward only. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}
