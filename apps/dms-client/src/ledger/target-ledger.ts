import { Injectable } from '@nestjs/common';
import { measured } from '@app/platform';
import { DataSource } from 'typeorm';
import { type CommittedChanges } from './changes';
import { commitError, ledgerError } from './ledger-errors';
import { ObservedChanges } from './observed-changes';
import { untilCommitted } from './rolled-back';
import { type TargetKey } from './target-key';
import { readLocked, TargetTransaction } from './target-transaction';

/** Is told what was committed for a target. It must not throw. */
export type CommitListener = (key: TargetKey, committed: CommittedChanges) => void;

/** The way into the ledger for everything that decides: one short transaction that holds the target's row. */
@Injectable()
export class TargetLedger {
  readonly #listeners: CommitListener[] = [];

  constructor(
    private readonly dataSource: DataSource,
    private readonly observed: ObservedChanges,
  ) {}

  /** Calls `listener` after each commit that changed something of which users are told. */
  onCommit(listener: CommitListener): void {
    this.#listeners.push(listener);
  }

  /**
   * Runs `work` in a transaction that holds the row lock of the target; the row is made if it is missing. `work` must
   * not wait for anything but the database. It runs again where the database rolls it back: on a Galera cluster that is
   * how a transaction learns, at its COMMIT, that another node has decided about the target meanwhile.
   *
   * @throws DmsError LEDGER_UNAVAILABLE or LOCK_TIMEOUT where nothing was committed; TIMEOUT where that is unknown;
   *   whatever `work` throws, after which nothing was committed
   */
  transaction<T>(key: TargetKey, work: (transaction: TargetTransaction) => Promise<T>): Promise<T> {
    const attributes = { host: key.host, backup_target_id: key.targetId };
    return measured('ledger', attributes, () => this.#transaction(key, work));
  }

  async #transaction<T>(key: TargetKey, work: (transaction: TargetTransaction) => Promise<T>): Promise<T> {
    try {
      return await untilCommitted(() => this.#once(key, work));
    } catch (error) {
      throw ledgerError(error);
    }
  }

  async #once<T>(key: TargetKey, work: (transaction: TargetTransaction) => Promise<T>): Promise<T> {
    const runner = this.dataSource.createQueryRunner();
    try {
      await runner.startTransaction();
      const transaction = new TargetTransaction(
        runner,
        key,
        await readLocked(runner, key, this.observed),
        this.observed,
      );
      const result = await work(transaction);
      const committed = await transaction.changes();
      await runner.commitTransaction().catch((error: unknown) => {
        throw commitError(error);
      });
      if (committed.changes.length > 0) for (const listener of this.#listeners) listener(key, committed);
      return result;
    } catch (error) {
      // A connection that is lost has rolled back by itself.
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    } finally {
      await runner.release();
    }
  }
}
