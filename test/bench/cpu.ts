import { groupMembers, processState } from '../rig';

/** Programs by name, each the leaders of process groups. */
export type Programs = Readonly<Record<string, readonly number[]>>;

/** Milliseconds of processor time by program. */
export type CpuTimes = Readonly<Record<string, number>>;

/** The processor time that programs, and this process as the load, use from now on. */
export class CpuMeter {
  readonly #begun: CpuTimes;

  constructor(private readonly programs: Programs) {
    this.#begun = this.#used();
  }

  /** What each has used for one of `count` requests, by programs and `load`. */
  perRequest(count: number): CpuTimes {
    const used = Object.entries(this.#used());
    return Object.fromEntries(used.map(([name, ms]) => [name, (ms - this.#begun[name]) / count]));
  }

  #used(): CpuTimes {
    const ofGroups = (groups: readonly number[]): number =>
      groups.flatMap((group) => groupMembers(group)).reduce((sum, { cpuMs }) => sum + cpuMs, 0);
    const used = Object.entries(this.programs).map(([name, groups]) => [name, ofGroups(groups)] as const);
    return { ...Object.fromEntries(used), load: processState(process.pid)?.cpuMs ?? NaN };
  }
}
