import { FAULT_NAMES, setting } from '../model/rules';
import { budgetOf, pairsOfFaults } from '../model/scenarios';
import { searchBreadthFirst, walkAtRandom } from '../model/search';

/** For each pair; those that are larger are searched breadth first up to it. */
const STATES = 45_000;

describe('the mount protocol as a model, at length', () => {
  it.each(pairsOfFaults())('keeps its invariants under the faults %s and %s', (one, other) => {
    expect(searchBreadthFirst(setting([], budgetOf([one, other])), STATES).violation).toBeNull();
  });

  it('keeps its invariants in long random runs with every fault twice', () => {
    const everything = setting([], budgetOf([...FAULT_NAMES, ...FAULT_NAMES]), {
      requests: 6,
      lastEpoch: 60,
    });
    expect(walkAtRandom(everything, 5_000, 7).violation).toBeNull();
  });
});
