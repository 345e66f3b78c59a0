import { setTimeout as sleep } from 'node:timers/promises';
import { type HarmKind } from './harm-log';
import { type HarmTools } from './harm-tools';
import { ACTS } from './harms';
import { Random } from './random';

/** What is done next, drawn from the seed. */
interface Step {
  readonly kind: HarmKind;
  readonly which: number;
  readonly howLong: number;
  /** Peace before it. */
  readonly gapMs: number;
  /** Whether the next harm begins while this one is at work. */
  readonly overlaps: boolean;
}

/** Does one harm after the other, sometimes two at once, until it is told to end. */
export class Killer {
  readonly #random: Random;
  readonly #ending = new AbortController();
  readonly #atWork = new Set<Promise<void>>();
  /** What is left of a round in which each kind comes once. */
  #round: HarmKind[] = [];
  #running: Promise<void> | null = null;

  constructor(
    seed: number,
    private readonly tools: Omit<HarmTools, 'ending' | 'busy'>,
    private readonly kinds: readonly HarmKind[],
  ) {
    this.#random = new Random(seed, 'killer');
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Harms no more and resolves when everything that was taken down stands again. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#running;
    await Promise.all(this.#atWork);
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    const tools = { ...this.tools, ending: signal, busy: new Set<unknown>() };
    while (!signal.aborted) {
      const step = this.#next();
      await sleep(step.gapMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const act = ACTS[step.kind](tools, step).catch((error: unknown) =>
        this.tools.journal.note('killer', `${step.kind} failed: ${String(error)}`),
      );
      const atWork = act.finally(() => this.#atWork.delete(atWork));
      this.#atWork.add(atWork);
      if (!step.overlaps) await Promise.all(this.#atWork);
    }
  }

  #next(): Step {
    const random = this.#random;
    if (this.#round.length === 0) this.#round = [...this.kinds];
    const [kind] = this.#round.splice(Math.floor(random.next() * this.#round.length), 1);
    return {
      kind,
      which: random.next(),
      howLong: random.next(),
      // Now and then long enough to see a break told before the next harm comes.
      gapMs: random.chance(0.12) ? random.between(8_000, 15_000) : random.between(200, 2_500),
      overlaps: random.chance(0.2),
    };
  }
}
