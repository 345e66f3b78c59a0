import { Random } from '../chaos/random';
import { Fleet } from '../fleet/fleet';
import { type RigAddresses } from '../rig';
import { RACE_KINDS, type RaceKind, type RaceOutcome, RACES } from './race-kinds';
import { RacedTarget } from './raced-target';

export interface RaceOptions {
  readonly seed: number;
  /** How many races of the kind that once lied: an unmount meets a mount. Each other kind gets a tenth of it. */
  readonly pairs: number;
  /** How far the second request starts behind the first, at most. */
  readonly lagMs: number;
  /** Targets that are raced for at the same time. */
  readonly parallel: number;
  readonly kinds?: readonly RaceKind[];
  readonly say?: (line: string) => void;
  /** Aborted to end early. */
  readonly interrupted?: AbortSignal;
}

/** The races of one kind. */
export interface RaceResult {
  readonly kind: RaceKind;
  readonly writers: number;
  readonly outcomes: readonly RaceOutcome[];
}

const PROGRESS_EVERY = 100;

/**
 * Runs races between two dms-clients for the targets of one dms-server.
 *
 * @param writers two: each client writes to a database node of its own; one: both write to the first
 */
export async function runRaces(
  rig: RigAddresses,
  writers: 1 | 2,
  options: RaceOptions,
): Promise<RaceResult[]> {
  const settings = { DMS_LOG_LEVEL: 'INFO' };
  const addresses = writers === 2 ? rig : { ...rig, clusterUrls: undefined };
  const fleet = await Fleet.start(addresses, {
    clients: 2,
    hosts: 'one',
    nodeSettings: settings,
    clientSettings: settings,
  });
  try {
    await fleet.acquainted();
    const targets = await Promise.all(Array.from({ length: options.parallel }, () => racedTarget(fleet)));
    const results: RaceResult[] = [];
    for (const kind of options.kinds ?? RACE_KINDS) {
      const races = kind === 'unmount-mount' ? options.pairs : Math.ceil(options.pairs / 10);
      results.push({ kind, writers, outcomes: await racesOf(kind, races, fleet, targets, options) });
    }
    return results;
  } finally {
    await fleet.stop();
  }
}

async function racedTarget(fleet: Fleet): Promise<RacedTarget> {
  const target = await fleet.targets.s3('race');
  const request = await fleet.targets.request(fleet.node.host, 1, target);
  return new RacedTarget(target, `${fleet.node.base}/${target.id}`, request);
}

/** The races of one kind: on each target one after the other. */
async function racesOf(
  kind: RaceKind,
  races: number,
  fleet: Fleet,
  targets: readonly RacedTarget[],
  { seed, lagMs, say, interrupted }: RaceOptions,
): Promise<RaceOutcome[]> {
  const outcomes: RaceOutcome[] = [];
  let begun = 0;
  const work = async (target: RacedTarget): Promise<void> => {
    while (begun < races && interrupted?.aborted !== true) {
      begun += 1;
      const random = new Random(seed, `${kind} ${begun}`);
      const [first, second] = random.chance(0.5) ? fleet.clients : fleet.clients.toReversed();
      outcomes.push(await RACES[kind]({ fleet, target, first, second, lagMs: random.between(0, lagMs) }));
      if (outcomes.length % PROGRESS_EVERY === 0) say?.(`${kind}: ${outcomes.length} of ${races}`);
    }
  };
  await Promise.all(targets.map(work));
  interrupted?.throwIfAborted();
  return outcomes;
}
