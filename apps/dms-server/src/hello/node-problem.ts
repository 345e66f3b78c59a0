import { Inject, Injectable } from '@nestjs/common';
import { MAX_PROBLEM_LENGTH } from '@app/contracts';
import { FENCE_MEMORY, type FenceMemory } from '../fence/fence-memory.interface';
import { requireUsableBases } from '../kernel/usable-path';
import { ProcessStarts } from '../processes/process-starts';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';

/** It writes to the run directory, so hellos share what was found out. */
const LOOK_MS = 5_000;

/** Finds out what keeps this node from carrying out any command, for its hellos. Readiness says the same and more. */
@Injectable()
export class NodeProblem {
  #text: string | null = null;
  #lookedAt = -Infinity;
  #looking = false;

  constructor(
    @Inject(SETTINGS) private readonly settings: Pick<ServerSettings, 'mountBases'>,
    @Inject(FENCE_MEMORY) private readonly memory: Pick<FenceMemory, 'problem'>,
    private readonly starts: ProcessStarts,
  ) {}

  /** Returns what was found out last, null if all is well. It never waits: a hello must not be late. */
  get text(): string | null {
    if (!this.#looking && performance.now() - this.#lookedAt >= LOOK_MS) void this.look();
    return this.#text;
  }

  /** Looks now. */
  async look(): Promise<void> {
    this.#looking = true;
    try {
      const problem = this.memory.problem() ?? (await this.#startProblem()) ?? (await this.#baseProblem());
      this.#text = problem?.slice(0, MAX_PROBLEM_LENGTH) ?? null;
    } finally {
      this.#lookedAt = performance.now();
      this.#looking = false;
    }
  }

  async #startProblem(): Promise<string | null> {
    const problem = await this.starts.problem();
    return problem === null ? null : `no process can be started: ${problem}`;
  }

  /** Of the bases only if none of them can be used: below the others mounts are made. */
  async #baseProblem(): Promise<string | null> {
    let first: string | null = null;
    for (const base of this.settings.mountBases) {
      const problem = await requireUsableBases([base]).then(
        () => null,
        (error: unknown) => (error as Error).message,
      );
      if (problem === null) return null;
      first ??= problem;
    }
    return first;
  }
}
