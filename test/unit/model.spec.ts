import { type FaultName, setting } from '../model/rules';
import { budgetOf, MUTANTS } from '../model/scenarios';
import { searchBreadthFirst, walkAtRandom } from '../model/search';

const STATES = 100_000;

/** Pairs that meet in the most delicate places of the protocol; all pairs are searched in test/long. */
const FAULTS: (readonly FaultName[])[] = [
  [],
  ['timeout'],
  ['hangup', 'pause'],
  ['crash'],
  ['overlap'],
  ['clockBack'],
  ['die', 'busy'],
  ['redeliver', 'pause'],
  ['redeliver', 'noRoom'],
  ['drain', 'hangup'],
  ['forget'],
  ['stuck', 'die'],
  ['python', 'python'],
  ['python', 'pythonDeath'],
  ['restore'],
  ['otherLedger'],
  ['jobNap', 'outage'],
  ['jobDeath', 'jobSleep'],
];

describe('the mount protocol as a model', () => {
  it.each(FAULTS.map((faults) => [faults.join(' and ') || 'no fault', faults] as const))(
    'keeps its invariants in every run with %s',
    (_, faults) => {
      const { violation, complete } = searchBreadthFirst(setting([], budgetOf(faults)), STATES);
      expect(violation).toBeNull();
      expect(complete).toBe(true);
    },
  );

  it('keeps its invariants in long random runs with every fault', () => {
    const faults = setting(
      [],
      budgetOf([
        'reboot',
        'die',
        'pause',
        'crash',
        'redeliver',
        'timeout',
        'serverCrash',
        'hang',
        'busy',
        'python',
      ]),
      { requests: 6, lastEpoch: 30 },
    );
    expect(walkAtRandom(faults, 300, 1).violation).toBeNull();
  });

  it.each(MUTANTS.map((mutant) => [mutant.without.join(' and '), mutant] as const))(
    'does not keep them without the rule %s',
    (_, { without, faults, shows }) => {
      expect(searchBreadthFirst(setting(without, budgetOf(faults)), STATES).violation).toMatch(shows);
    },
  );
});
