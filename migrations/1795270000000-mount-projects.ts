import { type MigrationInterface, type QueryRunner } from 'typeorm';

/** For which project a target is mounted: who may share the mount. */
export class MountProjects1795270000000 implements MigrationInterface {
  name = 'MountProjects1795270000000';

  async up(runner: QueryRunner): Promise<void> {
    if (!(await runner.hasColumn('target_mounts', 'project_id'))) {
      await runner.query('ALTER TABLE target_mounts ADD COLUMN project_id VARCHAR(255) NULL AFTER read_only');
    }
    // Of mounts that stand it is known where all that hold them are of one project.
    await runner.query(`UPDATE target_mounts t JOIN (
        SELECT host, backup_target_id, MIN(project_id) AS project_id FROM backup_target_mount_ledger
        WHERE mounted AND NOT COALESCE(deleted, FALSE)
        GROUP BY host, backup_target_id HAVING COUNT(DISTINCT project_id) = 1 AND COUNT(project_id) = COUNT(*)
      ) b ON b.host = t.host AND b.backup_target_id = t.backup_target_id
      SET t.project_id = b.project_id WHERE t.project_id IS NULL AND t.state <> 'ABSENT'`);
  }

  /** Migrations go forward only. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}
