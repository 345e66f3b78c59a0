import { setTimeout as sleep } from 'node:timers/promises';
import { type QueryRunner } from 'typeorm';
import { LEDGER } from './ledger-shape';

/** So long a moment is looked for in which nobody works on the table. */
const PATIENCE_MS = 300_000;
/** Moments are short where much is going on; an attempt costs less than a millisecond. */
const PAUSE_MS = 2;

/** Somebody else altered the table in the same way meanwhile: its shape is to be read again. */
const OVERTAKEN = ['ER_DUP_FIELDNAME', 'ER_DUP_KEYNAME', 'ER_MULTIPLE_PRI_KEY', 'ER_CANT_DROP_FIELD_OR_KEY'];

/**
 * Alters the ledger's table while programs of other versions work on it.
 *
 * Every migration that changes this table does it by this. An ALTER that waits for a transaction ends that transaction:
 * its next write has to wait behind the ALTER, and of the two the server takes the write as the victim of the deadlock
 * (`find_deadlock` in MariaDB's sql/mdl.cc). So it never waits: with NOWAIT it gives up before it stands in a queue, and
 * where anybody has the table open it is tried again a moment later. With LOCK=EXCLUSIVE it has the table for itself
 * before it copies, and needs nothing more afterwards. Once it runs, the statements of others wait for its end and go on;
 * none of them fails. MySQL has no such ALTER and waits a second.
 *
 * @param changes what is to be changed now; null: nothing any more.
 * @throws the driver's error; ER_LOCK_WAIT_TIMEOUT where there was no such moment for five minutes
 */
export async function alterLedger(
  runner: QueryRunner,
  changes: () => Promise<string[] | null>,
): Promise<void> {
  const [{ version }] = (await runner.query('SELECT VERSION() AS version')) as { version: string }[];
  const noWait = version.includes('MariaDB') ? 'NOWAIT' : '';
  await prepareSession(runner);
  const end = performance.now() + PATIENCE_MS;
  let wanted = await changes();
  while (wanted !== null && wanted.length > 0) {
    try {
      await runner.query(`ALTER TABLE ${LEDGER} ${noWait} ${wanted.join(', ')}, LOCK=EXCLUSIVE`);
      return;
    } catch (error) {
      const code = String((error as { code?: unknown }).code);
      if (code !== 'ER_LOCK_WAIT_TIMEOUT' && !OVERTAKEN.includes(code)) throw error;
      if (performance.now() > end) throw error;
      if (OVERTAKEN.includes(code)) wanted = await changes();
    }
    await sleep(PAUSE_MS + Math.random() * PAUSE_MS);
  }
}

/** What does not fit is an error and never cut; dates that are none are kept as they are. */
async function prepareSession(runner: QueryRunner): Promise<void> {
  await runner.query("SET SESSION sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'");
  await runner.query('SET SESSION lock_wait_timeout = 1');
}
