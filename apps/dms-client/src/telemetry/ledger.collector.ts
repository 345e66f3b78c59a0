import { Injectable } from '@nestjs/common';
import { BINDING_STATES, MOUNT_STATES, OPERATION_ACTIONS } from '@app/contracts';
import { type Collector, MetricsPage, type Sample } from '@app/platform/metrics';
import { Gauge } from 'prom-client';
import { LedgerCountsRepository } from './ledger-counts.repository';

const TARGET_TYPES = ['s3', 'nfs', 'unknown'];

/** What the ledger says of all nodes; every dms-client says the same. */
@Injectable()
export class LedgerCollector implements Collector {
  readonly name = 'ledger';
  readonly #bindings: Gauge;
  readonly #mounts: Gauge;
  readonly #unheld: Gauge;
  readonly #open: Gauge;
  readonly #uncertain: Gauge;
  readonly #uncertainAge: Gauge;
  readonly #leases: Gauge;
  readonly #waiters: Gauge;
  readonly #wait: Gauge;
  readonly gauges: readonly Gauge[];

  constructor(
    page: MetricsPage,
    private readonly counts: LedgerCountsRepository,
  ) {
    const gauge = (name: string, help: string, ...labelNames: string[]): Gauge =>
      new Gauge({ name, help, labelNames, registers: [page.registry] });
    this.#bindings = gauge('dms_bindings', 'Bindings that are not released, by state.', 'state');
    this.#mounts = gauge(
      'dms_mounts',
      'Mounts by state and type of the target; those that are ABSENT are not counted.',
      'state',
      'target_type',
    );
    this.#unheld = gauge('dms_mounts_unheld', 'Mounts that stand, or may, and that no job holds.');
    this.#open = gauge('dms_operations_open', 'Operations that have not ended.', 'action');
    this.#uncertain = gauge(
      'dms_operations_uncertain',
      'Operations that have not ended and that no process works on: their outcome is being found out.',
    );
    this.#uncertainAge = gauge(
      'dms_operations_uncertain_age_seconds',
      'Age of the oldest operation whose outcome is being found out; 0 where there is none.',
    );
    this.#leases = gauge('dms_leases', 'Targets that a process works on.');
    this.#waiters = gauge('dms_lease_waiters', 'Processes that wait for the lease of a target.');
    this.#wait = gauge('dms_lease_wait_age_seconds', 'How long the oldest of them waits; 0 where none does.');
    this.gauges = [
      this.#bindings,
      this.#mounts,
      this.#unheld,
      this.#open,
      this.#uncertain,
      this.#uncertainAge,
      this.#leases,
      this.#waiters,
      this.#wait,
    ];
    page.add(this);
  }

  /** One query after the other: a scrape takes one connection of the pool. */
  async collect(): Promise<readonly Sample[]> {
    const bindings = await this.counts.bindings();
    const mounts = await this.counts.mounts();
    const unheld = await this.counts.unheldMounts();
    const open = await this.counts.openOperations();
    const uncertain = await this.counts.uncertainOperations();
    const leases = await this.counts.leases();
    const waiters = await this.counts.leaseWaiters();
    const single = (gauge: Gauge, value: number): Sample => ({ gauge, value });
    return [
      ...BINDING_STATES.filter((state) => state !== 'released').map((state) => ({
        gauge: this.#bindings,
        labels: { state },
        value: bindings.find((row) => row.state === state)?.n ?? 0,
      })),
      ...MOUNT_STATES.filter((state) => state !== 'ABSENT').flatMap((state) =>
        TARGET_TYPES.map((type) => ({
          gauge: this.#mounts,
          labels: { state, target_type: type },
          value: mounts.find((row) => row.state === state && row.type === type)?.n ?? 0,
        })),
      ),
      ...OPERATION_ACTIONS.map((action) => ({
        gauge: this.#open,
        labels: { action },
        value: open.find((row) => row.action === action)?.n ?? 0,
      })),
      single(this.#unheld, unheld),
      single(this.#uncertain, uncertain.n),
      single(this.#uncertainAge, uncertain.oldest),
      single(this.#leases, leases),
      single(this.#waiters, waiters.n),
      single(this.#wait, waiters.oldest),
    ];
  }
}
