import { type HarmPlace } from './harm-log';
import { Random } from './random';

/** What a job is going to do, all of it drawn from the seed. */
export interface JobPlan {
  readonly jobid: number;
  readonly place: HarmPlace & { readonly host: string; readonly targetId: string };
  /** How often a mount is asked for before the job gives up. */
  readonly attempts: number;
  readonly holdMs: number;
  readonly lookEveryMs: number;
  /** Whether it asks for its binding, too, while it holds the mount. */
  readonly asksForBinding: boolean;
  readonly writes: boolean;
  /** Whether it is killed with a file open that it has not synced, right before its unmount. */
  readonly leavesUnsynced: boolean;
  /** Whether a process of the job still stands in the mount when the job unmounts. */
  readonly lingers: boolean;
  readonly usesIdempotencyKey: boolean;
  /** Whether it mounts again when it was told that its mount is lost. */
  readonly mountsAgain: boolean;
  /** Whether it unmounts after refusals only, though it holds nothing by them. */
  readonly unmountsAfterRefusal: boolean;
}

export interface JobPlaces {
  readonly hosts: readonly string[];
  readonly targetIds: readonly string[];
}

/** The plan of the job of this number. */
export function planJob(
  seed: number,
  jobid: number,
  { hosts, targetIds }: JobPlaces,
): { plan: JobPlan; random: Random } {
  const random = new Random(seed, `job ${jobid}`);
  const plan: JobPlan = {
    jobid,
    place: { host: random.pick(hosts), targetId: random.pick(targetIds) },
    attempts: 2 + Math.floor(random.next() * 6),
    // Most are short, so that first mounts and last unmounts are frequent; some live through several harms.
    holdMs: random.chance(0.2) ? random.between(15_000, 40_000) : random.between(500, 9_000),
    lookEveryMs: random.between(400, 1_500),
    asksForBinding: random.chance(0.5),
    writes: random.chance(0.4),
    lingers: random.chance(0.15),
    usesIdempotencyKey: random.chance(0.25),
    mountsAgain: random.chance(0.5),
    unmountsAfterRefusal: random.chance(0.5),
    leavesUnsynced: random.chance(0.25),
  };
  return { plan, random };
}
