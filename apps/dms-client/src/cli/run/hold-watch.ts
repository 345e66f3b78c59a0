import { setTimeout as sleep } from 'node:timers/promises';
import { DmsError, type TargetRequestDto } from '@app/contracts';
import { type DmsApi } from '../api/dms-api';

const INTERVAL_MS = 5_000;

/** Asks every five seconds whether a run's hold is still good, until it is not or the watch is stopped. */
export class HoldWatch {
  readonly #controller = new AbortController();
  readonly #running: Promise<void>;
  #lost = false;

  /** @param onLost is told once, in a sentence, that the mount is not good any more */
  constructor(
    private readonly api: Pick<DmsApi, 'status'>,
    private readonly request: TargetRequestDto,
    private readonly onLost: (problem: string) => void,
  ) {
    this.#running = this.#run();
  }

  /** Ends it. @returns whether the mount was lost; it is looked at once more */
  async stop(): Promise<boolean> {
    this.#controller.abort();
    await this.#running;
    if (!this.#lost) await this.#look();
    return this.#lost;
  }

  async #run(): Promise<void> {
    const { signal } = this.#controller;
    while (!this.#lost) {
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.#look();
    }
  }

  /** A service that does not answer says nothing of the mount. */
  async #look(): Promise<void> {
    const { job, host, backup_target } = this.request;
    const name = { jobid: String(job.jobid), backup_target_id: backup_target.id };
    try {
      const { state, mount_state } = await this.api.status(name, { host });
      if (state === 'lost') this.#lose('the mount was lost');
      else if (state === 'released') this.#lose('the hold has ended');
      else if (mount_state === 'BROKEN') this.#lose('the mount is broken');
    } catch (error) {
      if (error instanceof DmsError && error.code === 'NOT_FOUND') this.#lose('the hold has ended');
    }
  }

  #lose(problem: string): void {
    this.#lost = true;
    this.onLost(problem);
  }
}
