import { DmsError, type TargetRequestDto } from '@app/contracts';
import { type DmsApi } from '../api/dms-api';

/** Renews the lease of a run's hold at every third of it, until it is stopped. */
export class LeaseRenewal {
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> = Promise.resolve();
  #stopped = false;
  #warned = false;
  /** It could not be renewed while we were stopped. */
  readonly #atContinue = (): void => {
    clearTimeout(this.#timer);
    void this.#renewing.then(() => this.#now());
  };

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
    if (leaseS !== null) process.on('SIGCONT', this.#atContinue);
    this.#next();
  }

  /** Ends it; a renewal that is under way is waited for. */
  async stop(): Promise<void> {
    this.#stopped = true;
    process.off('SIGCONT', this.#atContinue);
    clearTimeout(this.#timer);
    await this.#renewing;
  }

  #next(): void {
    if (this.leaseS === null || this.#stopped) return;
    this.#timer = setTimeout(() => this.#now(), (this.leaseS * 1_000) / 3);
  }

  #now(): void {
    if (this.leaseS === null || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#renewing = this.#renew(this.leaseS).finally(() => this.#next());
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
