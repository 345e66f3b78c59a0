import { type QueryRunner } from 'typeorm';

export const LEDGER = 'backup_target_mount_ledger';

export interface LedgerColumn {
  readonly name: string;
  /** Without its length, e.g. `varchar`. */
  readonly type: string;
  readonly nullable: boolean;
  readonly hasDefault: boolean;
  readonly generated: boolean;
}

/** The ledger's table as it stands. */
export interface LedgerShape {
  readonly columns: ReadonlyMap<string, LedgerColumn>;
  readonly indexes: ReadonlySet<string>;
  readonly engine: string;
  readonly rowFormat: string;
}

/** Null where there is no such table. */
export async function ledgerShape(runner: QueryRunner): Promise<LedgerShape | null> {
  const [table] = (await runner.query(
    `SELECT ENGINE AS engine, ROW_FORMAT AS rowFormat FROM information_schema.TABLES
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?`,
    [LEDGER],
  )) as { engine: string | null; rowFormat: string | null }[];
  if (table === undefined) return null;
  const columns = (await runner.query(
    `SELECT COLUMN_NAME AS name, LOWER(DATA_TYPE) AS type, IS_NULLABLE = 'YES' AS nullable,
       COLUMN_DEFAULT IS NOT NULL AS hasDefault, EXTRA <> '' AS generated
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?`,
    [LEDGER],
  )) as Record<keyof LedgerColumn, unknown>[];
  const indexes = (await runner.query(
    `SELECT DISTINCT INDEX_NAME AS name FROM information_schema.STATISTICS
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?`,
    [LEDGER],
  )) as { name: string }[];
  return {
    columns: new Map(columns.map((column) => [String(column.name), columnOf(column)])),
    indexes: new Set(indexes.map(({ name }) => name)),
    engine: table.engine ?? 'a view',
    rowFormat: table.rowFormat ?? '',
  };
}

function columnOf(row: Record<keyof LedgerColumn, unknown>): LedgerColumn {
  return {
    name: String(row.name),
    type: String(row.type),
    nullable: Number(row.nullable) === 1,
    hasDefault: Number(row.hasDefault) === 1,
    generated: Number(row.generated) === 1,
  };
}
