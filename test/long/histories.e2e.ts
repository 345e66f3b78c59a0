import * as fc from 'fast-check';
import { type History, histories } from '../histories/history';
import { play } from '../histories/world';

// Core modules can only be replaced here: the services' sleeps are to take the time of the history.
jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
  setImmediate: () => Promise.resolve(),
}));

/** Each block has its own seed, so that one that fails can be run again alone. */
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
const RUNS = 3_000;

describe('histories of requests and faults, at length', () => {
  it.each(SEEDS)('keep the invariants (seed %i)', async (seed) => {
    const property = fc.asyncProperty(histories, async (history: History) => {
      const broken = await play(history);
      if (broken !== null) throw new Error(broken);
    });
    await fc.assert(property, { numRuns: RUNS, seed });
  });
});
