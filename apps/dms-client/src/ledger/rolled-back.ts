import { setTimeout as sleep } from 'node:timers/promises';
import { isRolledBack } from './ledger-errors';

/** So long work that the database rolls back is run again: as long as a row lock is waited for. */
const PATIENCE_MS = 5_000;
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;

/**
 * Runs `attempt` until the database does not roll it back. A rollback (a deadlock, or on a Galera cluster a row that
 * another node wrote first) left nothing, so running it again is safe. The pauses grow, each by chance, so that two
 * that meet do not meet for ever.
 *
 * @param attempt must leave nothing behind outside the database when it fails
 * @throws whatever `attempt` throws; after five seconds also its rollback
 */
export async function untilCommitted<T>(attempt: () => Promise<T>): Promise<T> {
  const started = performance.now();
  for (let longest = FIRST_PAUSE_MS; ; longest = Math.min(longest * 2, LONGEST_PAUSE_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (!isRolledBack(error) || performance.now() - started > PATIENCE_MS) throw error;
    }
    await sleep(Math.random() * longest);
  }
}
