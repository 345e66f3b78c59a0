import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { pastPhase } from '@app/platform';
import { type TargetKey } from '../ledger/target-key';
import { type TargetTransaction } from '../ledger/target-transaction';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { TargetLeasesRepository } from './target-leases.repository';

/** How often who waits asks again for its place in the queue, which outlasts that by a multiple. */
const ASK_MS = 500;

/** The right to send commands for one target. It stands in the target's row and is renewed. */
export interface Lease {
  readonly key: TargetKey;
  /** Random for each acquisition; every write after a command names it. */
  readonly token: string;
}

/** Somebody who wants a lease: its token will be that of the lease. */
export interface LeasePlace {
  readonly token: string;
  /** By performance.now(). */
  readonly since: number;
  /** When it was asked for last, by performance.now(). */
  askedAt: number;
}

/** `next`: the one who asked is the next to get it. */
export type Acquisition =
  { readonly kind: 'acquired'; readonly lease: Lease } | { readonly kind: 'taken'; readonly next: boolean };

/**
 * Locks a target across the command to its node: a lease in the target's row that others may take over when its holder
 * has not renewed it for its whole duration, by the clock of whoever takes it over. Each (host, target) has its own: targets do not wait for one another. Processes that wait for the same one get
 * it in the order in which they came; within a process the coordinator keeps the order.
 */
@Injectable()
export class LockService {
  readonly #log = new Logger(LockService.name);
  readonly #owner = `${hostname()}:${process.pid}`;

  constructor(
    private readonly leases: TargetLeasesRepository,
    @Inject(SETTINGS) private readonly settings: ClientSettings,
  ) {}

  place(): LeasePlace {
    return { token: randomUUID(), since: performance.now(), askedAt: -Infinity };
  }

  /**
   * Takes the lease in a transaction that holds the row, unless another holds one and renews it, or has waited for it
   * longer. The place in the queue is kept for two seconds at a time: one has to ask again and again.
   *
   * @param stays whether the one who asks will wait; else it takes no place
   */
  async tryAcquire(transaction: TargetTransaction, place: LeasePlace, stays: boolean): Promise<Acquisition> {
    const { row, leaseWaiters, key } = transaction;
    const first = await leaseWaiters.first();
    const next = first === null || first === place.token;
    if (row.leased || !next) {
      if (stays) await leaseWaiters.wait(place.token, this.#owner);
      place.askedAt = performance.now();
      return { kind: 'taken', next };
    }
    if (first !== null || leaseWaiters.hasGone) await leaseWaiters.leave(place.token);
    await transaction.lease(place.token, this.#owner, this.settings.leaseMs);
    const waitedMs = Math.round(performance.now() - place.since);
    this.#log.log({ msg: 'Successfully acquired lock for mount_unmount', ...key, waited_ms: waitedMs });
    pastPhase('lock_wait', {}, place.since);
    return { kind: 'acquired', lease: { key, token: place.token } };
  }

  /**
   * True if it is of use to try {@link LockService.tryAcquire} for this place: the lease looks free for it, or the place
   * has to be kept. A look without a lock: who only waits must not collide with those who work.
   */
  async isWorthTrying(key: TargetKey, place: LeasePlace): Promise<boolean> {
    if (performance.now() - place.askedAt >= ASK_MS) return true;
    const { leased, first } = await this.leases.look(key);
    return !leased && (first === null || first === place.token);
  }

  /** Whether others wait for the lease that the caller holds. */
  async isWanted(transaction: TargetTransaction): Promise<boolean> {
    return (await transaction.leaseWaiters.first()) !== null;
  }

  /** True if the lease is still this one, in a transaction that holds the row. */
  holds(transaction: TargetTransaction, lease: Lease): boolean {
    return transaction.row.leaseToken === lease.token;
  }

  async release(transaction: TargetTransaction, lease: Lease): Promise<void> {
    await transaction.release(lease.token);
  }

  /** Gives up waiting. */
  async leave(transaction: TargetTransaction, place: LeasePlace): Promise<void> {
    await transaction.leaseWaiters.leave(place.token);
  }

  /** Runs `work` while the lease is renewed. If a renewal fails `work` goes on: the write after it will notice. */
  async whileRenewed<T>(lease: Lease, work: () => Promise<T>): Promise<T> {
    const timer = setInterval(() => {
      this.leases
        .renew(lease.key, lease.token, this.settings.leaseMs)
        .catch((error: unknown) =>
          this.#log.warn({ msg: 'A lease could not be renewed', ...lease.key, err: error }),
        );
    }, this.settings.leaseMs / 3);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }
}
