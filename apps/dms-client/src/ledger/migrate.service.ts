import { Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { DataSource } from 'typeorm';

const LOCK_NAME = 'dms_migrate';
const LOCK_SECONDS = 60;

/** Brings the schema up to date; processes that start at once do it one after the other. */
@Injectable()
export class MigrateService {
  readonly #log = new Logger(MigrateService.name);

  constructor(private readonly dataSource: DataSource) {}

  /**
   * @returns the names of the migrations that were run
   * @throws DmsError LOCK_TIMEOUT where another process migrates for longer than a minute
   */
  async migrate(): Promise<string[]> {
    const runner = this.dataSource.createQueryRunner();
    try {
      // TypeORM's query time-out is shorter than this wait, hence in steps.
      if (!(await this.#locked((sql, parameters) => runner.query(sql, parameters) as Promise<unknown>))) {
        throw new DmsError('LOCK_TIMEOUT', `Another process has been migrating for ${LOCK_SECONDS} s`);
      }
      const run = await this.dataSource.runMigrations({ transaction: 'none' });
      for (const { name } of run) this.#log.log({ msg: `Migration ${name} was run`, migration: name });
      await runner.query('SELECT RELEASE_LOCK(?)', [LOCK_NAME]);
      return run.map(({ name }) => name);
    } finally {
      await runner.release();
    }
  }

  async #locked(query: (sql: string, parameters: unknown[]) => Promise<unknown>): Promise<boolean> {
    for (let waited = 0; waited < LOCK_SECONDS; waited += 5) {
      const rows = (await query('SELECT GET_LOCK(?, 5) AS got', [LOCK_NAME])) as { got: number | null }[];
      if (Number(rows[0]?.got) === 1) return true;
    }
    return false;
  }
}
