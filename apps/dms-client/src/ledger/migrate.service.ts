import { Injectable, Logger } from '@nestjs/common';
import { DataSource, type QueryRunner } from 'typeorm';
import { ledgerShape } from '../../../../migrations/takeover/ledger-shape';
import { neighbourProblems, takeoverProblems } from '../../../../migrations/takeover/takeover-problems';
import { migrationError } from './migration-errors';
import { MigrationLock } from './migration-lock';
import { SilentLogger } from './silent-logger';

const A_DAY_SECONDS = 86_400;

/** What a migration would do. */
export interface MigrationPlan {
  /** Names of the migrations that were not run yet. */
  readonly pending: readonly string[];
  /** The Python system's table that would be taken over; null where there is none, or it was. */
  readonly takeover: { readonly rows: number; readonly held: number } | null;
  /** What stands in the way, each with its remedy. */
  readonly problems: readonly string[];
}

/** Brings the schema up to date; processes that start at once do it one after the other. */
@Injectable()
export class MigrateService {
  readonly #log = new Logger(MigrateService.name);

  constructor(private readonly dataSource: DataSource) {}

  /**
   * @returns the names of the migrations that were run
   * @throws DmsError LOCK_TIMEOUT where another process migrates for longer than ten minutes, or others leave no moment to
   *   alter a table; CONFLICT where existing tables cannot be taken over; FORBIDDEN where the account may not do it
   */
  async migrate(): Promise<string[]> {
    return this.#connected(async (source, runner) => {
      // An account that may not make the table of the lock does not need it then.
      if ((await pendingOf(source, runner)).length === 0) return [];
      const lock = new MigrationLock(source, runner);
      const run = await lock.hold(() => source.runMigrations({ transaction: 'none' }));
      for (const { name } of run) this.#log.log({ msg: `Migration ${name} was run`, migration: name });
      return run.map(({ name }) => name);
    });
  }

  /** What {@link MigrateService.migrate} would do. Only reads. */
  async plan(): Promise<MigrationPlan> {
    return this.#connected(async (source, runner) => {
      const run = await namesOfRun(source, runner);
      const pending = await pendingOf(source, runner);
      const shape = await ledgerShape(runner);
      if (run.size > 0 || shape === null) {
        return { pending, takeover: null, problems: run.size > 0 ? [] : await neighbourProblems(runner) };
      }
      const problems = [...(await neighbourProblems(runner)), ...(await takeoverProblems(runner, shape))];
      return { pending, takeover: await rowsOf(runner, shape.columns.has('mounted')), problems };
    });
  }

  /** Connections of its own: a migration takes longer than any other query may. */
  async #connected<T>(work: (source: DataSource, runner: QueryRunner) => Promise<T>): Promise<T> {
    const source = new DataSource({
      ...this.dataSource.options,
      // The lock, the migrations, and the renewals of the lock.
      poolSize: 3,
      // A check would wait for a table that the migration alters, and take the server for one that hangs.
      extra: { ...(this.dataSource.options.extra as object), monitorMs: 0 },
      enableQueryTimeout: false,
      maxQueryExecutionTime: undefined,
      logger: new SilentLogger(),
    } as DataSource['options']);
    try {
      await source.initialize();
      const runner = source.createQueryRunner();
      try {
        await runner.query('SET SESSION wait_timeout = ?', [A_DAY_SECONDS]);
        return await work(source, runner);
      } finally {
        await runner.release();
      }
    } catch (error) {
      throw migrationError(error);
    } finally {
      if (source.isInitialized) await source.destroy();
    }
  }
}

async function pendingOf(source: DataSource, runner: QueryRunner): Promise<string[]> {
  const run = await namesOfRun(source, runner);
  return source.migrations.map(({ name }) => String(name)).filter((name) => !run.has(name));
}

async function namesOfRun(source: DataSource, runner: QueryRunner): Promise<Set<string>> {
  const table = String(source.options.migrationsTableName);
  if (!(await runner.hasTable(table))) return new Set();
  const rows = (await runner.query(`SELECT name FROM ${table}`)) as { name: string }[];
  return new Set(rows.map(({ name }) => name));
}

async function rowsOf(runner: QueryRunner, readable: boolean): Promise<MigrationPlan['takeover']> {
  const held = readable ? 'COALESCE(SUM(COALESCE(mounted, 0) <> 0), 0)' : '0';
  const [row] = (await runner.query(
    `SELECT COUNT(*) AS n, ${held} AS held FROM backup_target_mount_ledger`,
  )) as { n: unknown; held: unknown }[];
  return { rows: Number(row.n), held: Number(row.held) };
}
