import * as fc from 'fast-check';
import { type History, histories } from '../histories/history';
import { type HistoryDefects, play } from '../histories/world';

// Core modules can only be replaced here: the services' sleeps are to take the time of the history.
jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
}));

const RUNS = 2_000;
const SEED = 20_240_601;

describe('histories of requests and faults', () => {
  it('keep the invariants', async () => {
    const property = fc.asyncProperty(histories, async (history: History) => {
      const broken = await play(history);
      if (broken !== null) throw new Error(broken);
    });
    await fc.assert(property, { numRuns: RUNS, seed: SEED });
  });

  const DEFECTS: (keyof HistoryDefects)[] = [
    'unknownIsFinal',
    'unmountingUnwritten',
    'claimUnseen',
    'leaseIgnored',
    'lossUntold',
    'leftoversUnended',
    'fenceOpen',
    'hangUpUnnoticed',
  ];

  it.each(DEFECTS)('do not, where the defect %s is built in', async (defect) => {
    const property = fc.asyncProperty(histories, async (history: History) => {
      return (await play(history, { [defect]: true })) === null;
    });
    const { failed } = await fc.check(property, { numRuns: RUNS, seed: SEED, endOnFailure: true });
    expect(failed).toBe(true);
  });
});
