import { DmsError } from '@app/contracts';
import { measured } from '@app/platform';

/** A look changes nothing: what the watch asks of a mount meanwhile is still of the same mount. */
export type WorkKind = 'change' | 'look';

interface Line {
  waiting: number;
  /** Changes that wait or are worked on. */
  changes: number;
  last: Promise<void>;
}

/** Lines up the commands of each target: one at a time, in order of arrival; targets do not wait for one another. */
export class TargetQueues {
  readonly #lines = new Map<string, Line>();

  /** @param limit commands that may wait for one target, beside the one that is worked on */
  constructor(private readonly limit: number) {}

  /** True while a command of the target waits or is worked on. */
  isBusy(targetId: string): boolean {
    return this.#lines.has(targetId);
  }

  /** True while a command that may change the target's mount waits or is worked on. */
  isChanging(targetId: string): boolean {
    return (this.#lines.get(targetId)?.changes ?? 0) > 0;
  }

  /** Commands that wait, in all and for the target that has most of them. */
  get waiting(): { readonly inAll: number; readonly most: number } {
    const waiting = [...this.#lines.values()].map((line) => line.waiting);
    return { inAll: waiting.reduce((sum, n) => sum + n, 0), most: Math.max(0, ...waiting) };
  }

  /** True while a command of any target waits or is worked on. */
  get isAnyBusy(): boolean {
    return this.#lines.size > 0;
  }

  /** BUSY if no more commands may wait for the target; null where there is room. */
  fullness(targetId: string): DmsError | null {
    if ((this.#lines.get(targetId)?.waiting ?? 0) < this.limit) return null;
    const text = `${this.limit} commands wait for target "${targetId}" already; try again later`;
    return new DmsError('BUSY', text);
  }

  /**
   * Runs `work` when all that came before it for this target has ended.
   *
   * @throws DmsError BUSY if no more commands may wait, and whatever `work` throws
   */
  async run<T>(targetId: string, work: () => Promise<T>, kind: WorkKind = 'change'): Promise<T> {
    const full = this.fullness(targetId);
    if (full !== null) throw full;
    const line = this.#lines.get(targetId) ?? { waiting: 0, changes: 0, last: Promise.resolve() };
    const before = this.#lines.has(targetId) ? line.last : null;
    this.#lines.set(targetId, line);
    if (kind === 'change') line.changes += 1;
    const turn = this.#turn(line, before, work);
    const ended = turn.then(
      () => undefined,
      () => undefined,
    );
    line.last = ended;
    try {
      return await turn;
    } finally {
      if (kind === 'change') line.changes -= 1;
      if (line.last === ended) this.#lines.delete(targetId);
    }
  }

  async #turn<T>(line: Line, before: Promise<void> | null, work: () => Promise<T>): Promise<T> {
    if (before !== null) {
      line.waiting += 1;
      await measured('queue_wait', {}, () => before);
      line.waiting -= 1;
    }
    return await work();
  }
}
