import { DmsError, type TargetRequestDto } from '@app/contracts';
import { type DmsApi } from '../api/dms-api';

/** Renews the lease of a run's hold at every third of it, until it is stopped. */
export class LeaseRenewal {
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> = Promise.resolve();
  #stopped = false;
  #warned = false;

  /**
   * @param leaseS null: the hold has no lease, and nothing is done
   * @param warn is told once that it does not succeed; the command goes on, for it may still do so
   */
  constructor(
    private readonly api: Pick<DmsApi, 'renew'>,
    private readonly request: TargetRequestDto,
    private readonly leaseS: number | null,
    private readonly warn: (message: string) => void,
  ) {
    this.#next();
  }

  /** Ends it; a renewal that is under way is waited for. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#renewing;
  }

  #next(): void {
    const { leaseS } = this;
    if (leaseS === null || this.#stopped) return;
    this.#timer = setTimeout(
      () => {
        this.#renewing = this.#renew(leaseS).finally(() => this.#next());
      },
      (leaseS * 1_000) / 3,
    );
  }

  async #renew(leaseS: number): Promise<void> {
    const { job, host, backup_target } = this.request;
    try {
      await this.api.renew({ jobid: String(job.jobid), backup_target_id: backup_target.id }, host, leaseS);
      this.#warned = false;
    } catch (thrown) {
      if (this.#warned) return;
      this.#warned = true;
      const error = DmsError.from(thrown);
      this.warn(`the hold could not be renewed: ${error.code}: ${error.message}`);
    }
  }
}
