import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { type DataSource, type QueryRunner } from 'typeorm';
import { isRolledBack } from './ledger-errors';

const NAME = 'dms_migrate';
const TABLE = 'dms_migration_lock';
/** Longer than a migration looks for its moment, and then takes. */
const WAIT_SECONDS = 600;
const POLL_MS = 500;
const RENEW_MS = 5_000;
/** A holder on another server that has not renewed for so long is dead. Longer than ALTER TABLE holds up a cluster. */
const STALE_MS = 120_000;

interface Holder {
  readonly owner: string | null;
  readonly server: string | null;
  readonly turn: string | number;
}

/**
 * Lets processes migrate one after the other, on all servers of a cluster.
 *
 * GET_LOCK ends with its connection, but holds on one server alone. A row is therefore written, too: of two processes
 * that write it at once on two Galera nodes, one is rolled back.
 */
export class MigrationLock {
  readonly #log = new Logger(MigrationLock.name);
  readonly #owner = randomUUID();

  /**
   * @param source has a free connection while `runner` is in use
   * @param runner its connection holds the lock of the server
   */
  constructor(
    private readonly source: DataSource,
    private readonly runner: QueryRunner,
  ) {}

  /** Runs `work` while the lock is held. @throws DmsError LOCK_TIMEOUT; what `work` throws */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    const until = performance.now() + WAIT_SECONDS * 1_000;
    const [{ got }] = await this.#query<{ got: unknown }>('SELECT GET_LOCK(?, ?) AS got', [
      NAME,
      WAIT_SECONDS,
    ]);
    if (Number(got) !== 1) throw waitedInVain();
    await this.#take(until);
    const timer = setInterval(() => this.#renew(), RENEW_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      await this.#release();
    }
  }

  async #take(until: number): Promise<void> {
    await this.#query(`CREATE TABLE IF NOT EXISTS ${TABLE} (
      only_row TINYINT UNSIGNED NOT NULL DEFAULT 1 PRIMARY KEY,
      owner VARCHAR(36) NULL,
      server VARCHAR(300) NULL,
      turn BIGINT UNSIGNED NOT NULL DEFAULT 0
    ) ENGINE=InnoDB`);
    await this.#again(`INSERT IGNORE INTO ${TABLE} (only_row) VALUES (1)`);
    const [{ server }] = await this.#query<{ server: string }>(
      "SELECT CONCAT(@@hostname, ':', @@port) AS server",
    );
    let [seen, since] = [await this.#holder(), performance.now()];
    for (;;) {
      // Who held the lock of this server is gone: we hold it.
      const isDead = seen.server === server || performance.now() - since > STALE_MS;
      if ((seen.owner === null || isDead) && (await this.#replace(seen, server))) return;
      if (performance.now() > until) throw waitedInVain();
      await sleep(POLL_MS);
      const now = await this.#holder();
      if (now.owner !== seen.owner || String(now.turn) !== String(seen.turn)) since = performance.now();
      seen = now;
    }
  }

  /** If the connection is lost, so is the lock of the server, and the next process takes the row. */
  async #release(): Promise<void> {
    try {
      await this.#query(`UPDATE ${TABLE} SET owner = NULL WHERE owner = ?`, [this.#owner]);
      await this.#query('SELECT RELEASE_LOCK(?)', [NAME]);
    } catch (error) {
      this.#log.debug({ msg: 'The lock of the migration ends with its connection', err: error });
    }
  }

  async #replace({ owner, turn }: Holder, server: string): Promise<boolean> {
    const { affectedRows } = await this.#again(
      `UPDATE ${TABLE} SET owner = ?, server = ?, turn = turn + 1 WHERE owner <=> ? AND turn = ?`,
      [this.#owner, server, owner, turn],
    );
    return affectedRows === 1;
  }

  async #holder(): Promise<Holder> {
    const [holder] = await this.#query<Holder>(`SELECT owner, server, turn FROM ${TABLE}`);
    return holder;
  }

  /** Over another connection: that of the lock may be waiting. A renewal that fails is followed by another one. */
  #renew(): void {
    this.source
      .query(`UPDATE ${TABLE} SET turn = turn + 1 WHERE owner = ?`, [this.#owner])
      .catch(() => undefined);
  }

  /** Another server of the cluster may have written the row first: then nothing was written here. */
  async #again(sql: string, values: unknown[] = []): Promise<{ affectedRows: number }> {
    try {
      return (await this.runner.query(sql, values)) as { affectedRows: number };
    } catch (error) {
      if (isRolledBack(error)) return { affectedRows: 0 };
      throw error;
    }
  }

  #query<T>(sql: string, values: unknown[] = []): Promise<T[]> {
    return this.runner.query(sql, values) as Promise<T[]>;
  }
}

function waitedInVain(): DmsError {
  return new DmsError('LOCK_TIMEOUT', `Another process has been migrating for ${WAIT_SECONDS} s`);
}
