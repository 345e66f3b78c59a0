import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** What keeps each node from carrying out commands, in its own words. */
export class NodeProblem1796061000000 implements MigrationInterface {
  name = 'NodeProblem1796061000000';

  async up(runner: QueryRunner): Promise<void> {
    if (await runner.hasColumn('nodes', 'problem')) return;
    await runner.query('ALTER TABLE nodes ADD COLUMN problem VARCHAR(255) NULL');
  }

  /** Migrations go forward only. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}
