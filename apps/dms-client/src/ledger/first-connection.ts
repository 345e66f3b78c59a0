import { setTimeout as sleep } from 'node:timers/promises';
import { type DataSource } from 'typeorm';
import { connectionError, isLoginRefused } from './ledger-errors';

/** How long a database is waited for at the start of a program. */
export interface Patience {
  readonly attempts: number;
  /** No attempt begins later than this after the first; one may take some seconds itself. */
  readonly limitMs: number;
  /** Is told why an attempt failed that is followed by another one. */
  readonly tell: (problem: string, attempt: number) => void;
}

const PAUSE_MS = 1_000;

/**
 * Connects to a database that may not be up yet. A login that is refused is not tried again.
 *
 * @param make makes the data source of an attempt
 * @param address as in {@link connectionError}
 * @throws DmsError as {@link connectionError}
 */
export async function connectFirst(
  make: () => DataSource,
  address: string,
  { attempts, limitMs, tell }: Patience,
): Promise<DataSource> {
  const began = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await make().initialize();
    } catch (error) {
      const { message } = connectionError(error, address);
      const isLate = performance.now() - began + PAUSE_MS > limitMs;
      if (attempt >= attempts || isLate || isLoginRefused(error)) throw connectionError(error, address);
      tell(message, attempt);
      await sleep(PAUSE_MS);
    }
  }
}
