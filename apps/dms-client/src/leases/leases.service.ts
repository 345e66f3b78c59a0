import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { type BindingDto, DmsError } from '@app/contracts';
import { type ProjectScope } from '../access/identity';
import { type BindingName, BindingsService } from '../bindings/bindings.service';
import { type OperationEnd } from '../ledger/operation-statements';
import { TargetLedger } from '../ledger/target-ledger';
import { type TargetRow, type TargetTransaction } from '../ledger/target-transaction';
import { TargetCoordinator } from '../mounts/target-coordinator.service';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { LeaseWatch } from './lease-watch';
import { type LeasedBinding, LeasedBindingsRepository, type PageEnd } from './leased-bindings.repository';

/** Renews the leases by which jobs hold targets, and releases what was not renewed. */
@Injectable()
export class LeasesService {
  readonly #log = new Logger(LeasesService.name);
  readonly #watch = new LeaseWatch();
  /** Where the next page of bindings begins. */
  #next: PageEnd | null = null;

  constructor(
    private readonly bindings: BindingsService,
    private readonly ledger: TargetLedger,
    private readonly leased: LeasedBindingsRepository,
    private readonly coordinator: TargetCoordinator,
    @Inject(SETTINGS) private readonly settings: ClientSettings,
  ) {}

  /**
   * Makes the lease of a hold end later: `leaseS` seconds from now, or as many as were asked for last. A hold without a
   * lease needs no renewal and stays without.
   *
   * @throws DmsError NOT_FOUND where the job does not hold the target; CONFLICT where it has lost it;
   *   VALIDATION_FAILED where several hosts have such a binding and none is named; LEDGER_UNAVAILABLE, LOCK_TIMEOUT
   */
  async renew(name: BindingName, scope: ProjectScope, leaseS: number | null): Promise<BindingDto> {
    const { host } = await this.bindings.get(name, scope, false);
    const { jobid, backup_target_id: targetId } = name;
    await this.ledger.transaction({ host, targetId }, async ({ bindings }) => {
      const state = (await bindings.ofJobs([jobid])).get(jobid)?.state ?? 'released';
      if (state === 'lost') {
        throw new DmsError('CONFLICT', `Job ${jobid} has lost the mount: mount the target again`);
      }
      if (state !== 'held') {
        throw new DmsError('NOT_FOUND', `Job ${jobid} does not hold target "${targetId}" on host "${host}"`);
      }
      await bindings.renew(jobid, leaseS);
    });
    return this.bindings.get({ ...name, host }, scope, false);
  }

  /**
   * Looks at a page of the bindings that have a lease, and releases those that were not renewed within the grace after
   * it, by time in which they could have been renewed. The mount then goes as after any unmount: not while somebody uses
   * it. To be called every two seconds while there is service.
   *
   * @throws DmsError LEDGER_UNAVAILABLE, LOCK_TIMEOUT
   */
  async expire(): Promise<void> {
    const { bindings, end } = await this.leased.page(this.#next);
    this.#next = end;
    const silentMs = this.#watch.beat();
    if (silentMs > 0) {
      this.#log.warn({
        msg: 'There was no service; leases stood still',
        seconds: Math.round(silentMs / 1000),
      });
    }
    const expired = this.#watch.expired(bindings, this.settings.leaseGraceMs);
    if (end === null) this.#watch.endRound();
    for (const binding of expired) await this.#release(binding);
  }

  async #release({ key, jobid, value }: LeasedBinding): Promise<void> {
    const released = await this.ledger.transaction(key, async (transaction) => {
      // It may have been renewed, or released by another process, since it was looked at.
      if ((await transaction.bindings.leaseValue(jobid)) !== value) return false;
      await transaction.bindings.release([jobid]);
      await record(transaction, jobid);
      return true;
    });
    if (!released) return;
    this.#log.warn({ msg: 'A lease expired: the job holds the target no more', ...key, jobid });
    // Not waited for: a node that does not answer must not keep other leases from expiring.
    void this.coordinator.settle(key);
  }
}

async function record({ bindings, operations, row }: TargetTransaction, jobid: number): Promise<void> {
  const binding = (await bindings.ofJobs([jobid])).get(jobid);
  const opening = {
    id: randomUUID(),
    action: 'unmount' as const,
    jobid,
    projectId: binding?.projectId ?? null,
    requestId: null,
    mountPath: row.mountPath,
    requestData: null,
  };
  await operations.record([{ opening, end: endOf(opening.id, row) }]);
}

function endOf(id: string, row: TargetRow): OperationEnd {
  return {
    id,
    status: 'success',
    errorCode: null,
    errorMessage: null,
    successMessage: `Released, because the lease expired and was not renewed; the mount was at ${row.mountPath ?? 'no path'}`,
    mountPath: row.mountPath,
    epoch: row.epoch,
    responseData: null,
  };
}
