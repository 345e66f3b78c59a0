import { type DataSource } from 'typeorm';
import { ledgerError } from '../ledger/ledger-errors';
import { untilCommitted } from '../ledger/rolled-back';

/**
 * Runs one parameterised statement by itself and returns its rows, each with the driver's types: BIGINT may be text. It
 * runs again where the database rolls it back.
 *
 * @throws DmsError LEDGER_UNAVAILABLE, LOCK_TIMEOUT
 */
export async function queryLedger<Row>(
  dataSource: DataSource,
  sql: string,
  parameters: readonly unknown[],
): Promise<Row[]> {
  try {
    return await untilCommitted(() => dataSource.query<Row[]>(sql, [...parameters]));
  } catch (error) {
    throw ledgerError(error);
  }
}

/**
 * Runs one parameterised statement that writes. It runs again where the database rolls it back.
 *
 * @returns how many rows fitted its conditions
 * @throws DmsError LEDGER_UNAVAILABLE, LOCK_TIMEOUT
 */
export async function writeLedger(
  dataSource: DataSource,
  sql: string,
  parameters: readonly unknown[],
): Promise<number> {
  try {
    const { affectedRows } = await untilCommitted(() =>
      dataSource.query<{ affectedRows: number }>(sql, [...parameters]),
    );
    return affectedRows;
  } catch (error) {
    throw ledgerError(error);
  }
}

/** SQL conditions with their parameters, of which those without a value are left out. */
export class Conditions {
  readonly #texts: string[] = [];
  readonly parameters: unknown[] = [];

  add(text: string, ...parameters: unknown[]): this {
    this.#texts.push(text);
    this.parameters.push(...parameters);
    return this;
  }

  /** Adds `text`, which holds one `?`, if there is a value for it. */
  addIf(text: string, value: unknown): this {
    return value === undefined ? this : this.add(text, value);
  }

  /** For behind WHERE. */
  toString(): string {
    return this.#texts.length === 0 ? 'TRUE' : this.#texts.join(' AND ');
  }
}

/** ISO 8601, UTC. Null also for what is no time: a Python program may have written 0000-00-00. */
export function isoTime(value: Date): string;
export function isoTime(value: Date | null): string | null;
export function isoTime(value: Date | null): string | null {
  return value === null || Number.isNaN(value.getTime()) ? null : value.toISOString();
}

export function numberOrNull(value: number | string | null): number | null {
  return value === null ? null : Number(value);
}
