import { Rig } from '../rig';
import { brokenPromises, raceTable } from './race-table';
import { type RaceOptions, runRaces } from './run-races';

/** The one-writer races are there to compare with: fewer are enough. */
const PART_WITH_ONE_WRITER = 1 / 4;

/** Runs the races on clusters of their own, with two writers and, to compare with, with one; prints the table. */
export async function compareWriters(options: RaceOptions): Promise<string[]> {
  const { say, pairs } = options;
  const rig = await Rig.start({ stopOnSignals: false, clusters: true, onProgress: say });
  try {
    const { addresses } = rig;
    const results = [
      ...(await runRaces(addresses, 2, options)),
      ...(await runRaces(addresses, 1, { ...options, pairs: Math.ceil(pairs * PART_WITH_ONE_WRITER) })),
    ];
    const broken = brokenPromises(results);
    say?.(`\n${raceTable(results)}\n`);
    return broken;
  } finally {
    await rig.stop();
  }
}
