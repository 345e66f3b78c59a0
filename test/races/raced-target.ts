import { setTimeout as sleep } from 'node:timers/promises';
import { layersAt } from '../chaos/mount-look';
import { type AnswerBody } from '../chaos/orchestrator';
import { type ClientProcess } from '../fleet/client-process';
import { type S3Target } from '../fleet/targets';
import { waitFor } from '../rig';

/** What a job was answered, and how long that took. */
export interface Reply {
  readonly status: number;
  readonly body: AnswerBody & { readonly reused_existing?: boolean };
  readonly tookMs: number;
  /** How many mounts stood at the target's place when the answer was there. */
  readonly layers: number;
}

/** Promised: what is left open is settled within 30 s. Waited for three times that. */
const SETTLED_MS = 90_000;
const ASK_AGAIN_MS = 200;

/** A target on one node, and the jobs that race for it. */
export class RacedTarget {
  static #jobs = 0;

  /**
   * @param path where the target is mounted on the node
   * @param request the body of a request, without its job
   */
  constructor(
    readonly target: S3Target,
    readonly path: string,
    private readonly request: Record<string, unknown>,
  ) {}

  /** A job that has asked for nothing yet. */
  newJob(): number {
    RacedTarget.#jobs += 1;
    return RacedTarget.#jobs;
  }

  get layers(): number {
    const seen = layersAt(this.path).length;
    // The mount table can change while it is read: an odd answer is asked for again.
    return seen === 1 ? seen : layersAt(this.path).length;
  }

  async ask(
    action: 'mount' | 'unmount',
    jobid: number,
    client: ClientProcess,
    headers: Record<string, string> = {},
  ): Promise<Reply> {
    const began = performance.now();
    const { status, body } = await client.api.post<Reply['body']>(
      `/api/v1/${action}`,
      { ...this.request, job: { jobid } },
      headers,
    );
    return { status, body, tookMs: performance.now() - began, layers: this.layers };
  }

  /** Asks until the answer is a success. */
  async surely(action: 'mount' | 'unmount', jobid: number, client: ClientProcess): Promise<void> {
    await waitFor(
      async () => {
        if ((await this.ask(action, jobid, client)).status === 200) return true;
        await sleep(ASK_AGAIN_MS);
        return false;
      },
      { timeoutMs: SETTLED_MS, what: `the ${action} of job ${jobid} to succeed` },
    );
  }

  /** Unmounts for these jobs. False where the mount stays though nobody holds it. */
  async isFreed(jobs: readonly number[], client: ClientProcess): Promise<boolean> {
    for (const jobid of jobs) await this.surely('unmount', jobid, client);
    const end = performance.now() + SETTLED_MS;
    while (this.layers > 0) {
      if (performance.now() > end) return false;
      await sleep(ASK_AGAIN_MS);
    }
    return true;
  }
}
