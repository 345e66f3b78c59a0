import { type MigrationInterface, type QueryRunner } from 'typeorm';
import { alterLedger } from './takeover/alter-ledger';
import { LEDGER, ledgerShape, type LedgerShape } from './takeover/ledger-shape';
import { neighbourProblems, TakeoverError, takeoverProblems } from './takeover/takeover-problems';

/** Identifiers compare byte for byte. */
const ID = 'VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';
const TABLE = 'ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin';

const ID_COLUMN = 'id BIGINT NOT NULL AUTO_INCREMENT';

/** The columns of the Python system, as wide as they have to be. */
const PYTHON_COLUMNS = [
  'created_at DATETIME(6) NULL DEFAULT CURRENT_TIMESTAMP(6)',
  'updated_at DATETIME(6) NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)',
  'deleted_at DATETIME(6) NULL',
  'deleted BOOLEAN NULL DEFAULT FALSE',
  'version VARCHAR(255) NULL',
  `backup_target_id ${ID} NOT NULL`,
  'jobid BIGINT NOT NULL',
  `host ${ID} NOT NULL`,
  'mounted BOOLEAN NULL DEFAULT FALSE',
];

/** What this project adds to the Python system's table: nullable or defaulted, so that its INSERT still works. */
const OWN_COLUMNS = [
  'state VARCHAR(16) NULL',
  'operation_id CHAR(36) NULL',
  'project_id VARCHAR(255) NULL',
  `hold_id ${ID} NULL`,
  'lease_expires_at DATETIME(6) NULL',
];

const INDEXES: Record<string, string> = {
  idx_backup_target_id: 'backup_target_id',
  idx_jobid: 'jobid',
  idx_host: 'host',
  idx_job_target: 'jobid, backup_target_id',
  idx_mounted_host: 'mounted, host',
  idx_deleted: 'deleted',
  idx_target_host_mounted: 'backup_target_id, host, mounted',
};

/** The ledger. A table of the Python system (primary key jobid, backup_target_id, host) is taken over, rows kept. */
export class Ledger1795250000000 implements MigrationInterface {
  name = 'Ledger1795250000000';

  async up(runner: QueryRunner): Promise<void> {
    refuse([...(await neighbourProblems(runner)), ...(await problemsNow(runner))]);
    if (await runner.hasTable(LEDGER)) await takeOver(runner);
    else await create(runner);
    await runner.query(`CREATE TABLE IF NOT EXISTS binding_holds (
      jobid BIGINT NOT NULL,
      backup_target_id ${ID} NOT NULL,
      host ${ID} NOT NULL,
      hold_id ${ID} NOT NULL,
      operation_id CHAR(36) NOT NULL,
      created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
      PRIMARY KEY (host, backup_target_id, jobid, hold_id(191))
    ) ${TABLE}`);
    await runner.query(`CREATE TABLE IF NOT EXISTS target_mounts (
      host ${ID} NOT NULL,
      backup_target_id ${ID} NOT NULL,
      state VARCHAR(16) NOT NULL DEFAULT 'ABSENT',
      epoch BIGINT NOT NULL DEFAULT 0,
      incarnation VARCHAR(64) NULL,
      mount_path VARCHAR(1024) NULL,
      active_path_key BINARY(32) NULL,
      source VARCHAR(1024) NULL,
      type VARCHAR(8) NULL,
      read_only BOOLEAN NOT NULL DEFAULT FALSE,
      mnt_id BIGINT NULL,
      device VARCHAR(32) NULL,
      operation_id CHAR(36) NULL,
      lease_token CHAR(36) NULL,
      lease_owner VARCHAR(255) NULL,
      lease_expires_at DATETIME(6) NULL,
      error_code VARCHAR(32) NULL,
      error_msg TEXT NULL,
      created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
      PRIMARY KEY (host, backup_target_id),
      UNIQUE KEY uq_host_active_path (host, active_path_key),
      KEY idx_state (state)
    ) ${TABLE}`);
    await runner.query(`CREATE TABLE IF NOT EXISTS mount_operations (
      id CHAR(36) NOT NULL,
      action VARCHAR(16) NOT NULL,
      status VARCHAR(16) NOT NULL,
      error_code VARCHAR(32) NULL,
      jobid BIGINT NULL,
      backup_target_id ${ID} NOT NULL,
      host ${ID} NOT NULL,
      epoch BIGINT NULL,
      mount_path VARCHAR(1024) NULL,
      error_msg TEXT NULL,
      success_msg TEXT NULL,
      request_data MEDIUMTEXT NULL,
      response_data MEDIUMTEXT NULL,
      project_id VARCHAR(255) NULL,
      created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
      completed_at DATETIME(6) NULL,
      renewed_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
      PRIMARY KEY (id),
      KEY idx_operation_created (created_at, id),
      KEY idx_operation_target (backup_target_id, created_at),
      KEY idx_operation_host_target (host, backup_target_id, status),
      KEY idx_operation_job (jobid, created_at),
      KEY idx_operation_status (status, created_at)
    ) ${TABLE}`);
    await runner.query(`CREATE TABLE IF NOT EXISTS nodes (
      host ${ID} NOT NULL,
      state VARCHAR(16) NOT NULL DEFAULT 'up',
      incarnation VARCHAR(64) NULL,
      boot_id VARCHAR(64) NULL,
      protocol INT NULL,
      version VARCHAR(64) NULL,
      bases TEXT NULL,
      public_key TEXT NULL,
      last_seen DATETIME(6) NULL,
      lease_token CHAR(36) NULL,
      lease_owner VARCHAR(255) NULL,
      lease_expires_at DATETIME(6) NULL,
      created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
      updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
      PRIMARY KEY (host)
    ) ${TABLE}`);
    await runner.query(`CREATE TABLE IF NOT EXISTS idempotency_keys (
      idempotency_key ${ID} NOT NULL,
      project_id VARCHAR(255) NOT NULL DEFAULT '',
      request_hash BINARY(32) NOT NULL,
      operation_id CHAR(36) NOT NULL,
      created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
      PRIMARY KEY (idempotency_key, project_id(191)),
      KEY idx_idempotency_created (created_at)
    ) ${TABLE}`);
  }

  /** Migrations go forward only: going back would lose what the ledger says. */
  down(): Promise<void> {
    return Promise.reject(
      new Error('The ledger is not taken back; restore a backup of the database instead.'),
    );
  }
}

async function create(runner: QueryRunner): Promise<void> {
  await runner.query(`CREATE TABLE IF NOT EXISTS ${LEDGER} (
    ${ID_COLUMN} PRIMARY KEY,
    ${[...PYTHON_COLUMNS, ...OWN_COLUMNS].join(', ')},
    UNIQUE KEY uq_job_target_host (jobid, backup_target_id, host),
    ${Object.entries(INDEXES)
      .map(([name, columns]) => `KEY ${name} (${columns})`)
      .join(', ')}
  ) ${TABLE}`);
}

/** One ALTER, so that the table is at no time between two shapes for a Python program that writes on. */
async function takeOver(runner: QueryRunner): Promise<void> {
  try {
    await alterLedger(runner, async () => {
      const shape = await ledgerShape(runner);
      return shape === null ? null : changesOf(shape);
    });
  } catch (error) {
    // A row that came since may be what it failed on.
    refuse(await problemsNow(runner));
    throw error;
  }
}

async function problemsNow(runner: QueryRunner): Promise<string[]> {
  const shape = await ledgerShape(runner);
  return shape === null || changesOf(shape) === null ? [] : takeoverProblems(runner, shape);
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new TakeoverError(problems);
}

/** Null where the table has its shape already. */
function changesOf({ columns, indexes, engine, rowFormat }: LedgerShape): string[] | null {
  if (columns.has('id') && indexes.has('uq_job_target_host') && columns.has('lease_expires_at')) return null;
  const had = (definition: string): boolean => columns.has(definition.split(' ')[0]);
  return [
    ...(columns.has('id')
      ? [`MODIFY ${ID_COLUMN}`]
      : [
          ...(indexes.has('PRIMARY') ? ['DROP PRIMARY KEY'] : []),
          `ADD COLUMN ${ID_COLUMN} PRIMARY KEY FIRST`,
        ]),
    ...PYTHON_COLUMNS.map((column) => `${had(column) ? 'MODIFY' : 'ADD COLUMN'} ${column}`),
    ...OWN_COLUMNS.filter((column) => !had(column)).map((column) => `ADD COLUMN ${column}`),
    ...(indexes.has('uq_job_target_host')
      ? []
      : ['ADD UNIQUE KEY uq_job_target_host (jobid, backup_target_id, host)']),
    ...Object.entries(INDEXES)
      .filter(([name]) => !indexes.has(name))
      .map(([name, on]) => `ADD KEY ${name} (${on})`),
    'DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin',
    ...(engine === 'InnoDB' ? [] : ['ENGINE=InnoDB']),
    // Others do not take an index of that length.
    ...(rowFormat === 'Dynamic' ? [] : ['ROW_FORMAT=DYNAMIC']),
  ];
}
