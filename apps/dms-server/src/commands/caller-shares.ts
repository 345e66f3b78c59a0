import { DmsError } from '@app/contracts';

/** Counts the commands that each legacy caller has in the node, so that one of them leaves room for the others. */
export class CallerShares {
  readonly #underWay = new Map<string, number>();

  /** @param share commands that one caller may have in the node */
  constructor(private readonly share: number) {}

  /**
   * Runs `work` as a command of the caller.
   *
   * @param caller its reply queue; those without one are one caller
   * @throws DmsError BUSY if the caller has its share in the node already, and whatever `work` throws
   */
  async run<T>(caller: string, work: () => Promise<T>): Promise<T> {
    const before = this.#underWay.get(caller) ?? 0;
    if (before >= this.share)
      throw new DmsError('BUSY', `${before} commands of this caller are under way already; try again later`);
    this.#underWay.set(caller, before + 1);
    try {
      return await work();
    } finally {
      const left = (this.#underWay.get(caller) ?? 1) - 1;
      if (left === 0) this.#underWay.delete(caller);
      else this.#underWay.set(caller, left);
    }
  }
}
