import { type DataSource } from 'typeorm';
import { ledgerError } from '../ledger/ledger-errors';

/**
 * Runs one parameterised statement and returns its rows, each with the driver's types: BIGINT may be text.
 *
 * @throws DmsError LEDGER_UNAVAILABLE, LOCK_TIMEOUT
 */
export async function queryLedger<Row>(
  dataSource: DataSource,
  sql: string,
  parameters: readonly unknown[],
): Promise<Row[]> {
  try {
    return await dataSource.query<Row[]>(sql, [...parameters]);
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
