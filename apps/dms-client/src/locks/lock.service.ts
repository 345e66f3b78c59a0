import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type TargetKey } from '../ledger/target-key';
import { type TargetTransaction } from '../ledger/target-transaction';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';

/** The right to send commands for one target: in its row, in the database's time. */
export interface Lease {
  readonly key: TargetKey;
  /** Random for each acquisition; every write after a command names it. */
  readonly token: string;
}

/**
 * Locks a target across the command to its node: a lease in the target's row that runs out by itself when its holder
 * dies. Each (host, target) has its own: targets do not wait for one another.
 */
@Injectable()
export class LockService {
  readonly #log = new Logger(LockService.name);
  readonly #owner = `${hostname()}:${process.pid}`;

  constructor(
    private readonly dataSource: DataSource,
    @Inject(SETTINGS) private readonly settings: ClientSettings,
  ) {}

  /** Takes the lease in a transaction that holds the row; null where another holds one that has not run out. */
  async tryAcquire(transaction: TargetTransaction): Promise<Lease | null> {
    if (transaction.row.leased) return null;
    const lease = { key: transaction.key, token: randomUUID() };
    await transaction.lease(lease.token, this.#owner, this.settings.leaseMs);
    this.#log.debug({ msg: 'Successfully acquired lock for mount_unmount', ...lease.key });
    return lease;
  }

  /** True if the lease is still this one, in a transaction that holds the row. */
  holds(transaction: TargetTransaction, lease: Lease): boolean {
    return transaction.row.leaseToken === lease.token;
  }

  async release(transaction: TargetTransaction, lease: Lease): Promise<void> {
    await transaction.release(lease.token);
  }

  /** Runs `work` while the lease is renewed. If a renewal fails `work` goes on: the write after it will notice. */
  async whileRenewed<T>(lease: Lease, work: () => Promise<T>): Promise<T> {
    const timer = setInterval(() => {
      this.#renew(lease).catch((error: unknown) =>
        this.#log.warn({ msg: 'A lease could not be renewed', ...lease.key, err: error }),
      );
    }, this.settings.leaseMs / 3);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }

  async #renew({ key, token }: Lease): Promise<void> {
    await this.dataSource.query(
      `UPDATE target_mounts SET lease_expires_at = NOW(6) + INTERVAL ? MICROSECOND
       WHERE host = ? AND backup_target_id = ? AND lease_token = ?`,
      [this.settings.leaseMs * 1000, key.host, key.targetId, token],
    );
  }
}
