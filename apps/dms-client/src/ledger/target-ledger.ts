import { Injectable } from '@nestjs/common';
import { DataSource, type QueryRunner } from 'typeorm';
import { isDeadlock, ledgerError, unknownCommit } from './ledger-errors';
import { type TargetKey } from './target-key';
import { readLocked, TargetTransaction } from './target-transaction';

const DEADLOCK_RETRIES = 5;

/** The way into the ledger for everything that decides: one short transaction that holds the target's row. */
@Injectable()
export class TargetLedger {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Runs `work` in a transaction that holds the row lock of the target; the row is made if it is missing. `work` must
   * not wait for anything but the database.
   *
   * @throws DmsError LEDGER_UNAVAILABLE or LOCK_TIMEOUT where nothing was committed; TIMEOUT where that is unknown;
   *   whatever `work` throws, after which nothing was committed
   */
  async transaction<T>(key: TargetKey, work: (transaction: TargetTransaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#once(key, work);
      } catch (error) {
        if (!isDeadlock(error) || attempt > DEADLOCK_RETRIES) throw ledgerError(error);
      }
    }
  }

  async #once<T>(key: TargetKey, work: (transaction: TargetTransaction) => Promise<T>): Promise<T> {
    const runner = this.dataSource.createQueryRunner();
    try {
      await runner.startTransaction();
      const result = await this.#locked(runner, key, work);
      await runner.commitTransaction().catch((error: unknown) => Promise.reject(unknownCommit(error)));
      return result;
    } catch (error) {
      // A connection that is lost has rolled back by itself.
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    } finally {
      await runner.release();
    }
  }

  async #locked<T>(
    runner: QueryRunner,
    key: TargetKey,
    work: (transaction: TargetTransaction) => Promise<T>,
  ): Promise<T> {
    return work(new TargetTransaction(runner, key, await readLocked(runner, key)));
  }
}
