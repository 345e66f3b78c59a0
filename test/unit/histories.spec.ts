import * as fc from 'fast-check';
import { type History, histories } from '../histories/history';
import { play, WRITERS } from '../histories/world';

// Core modules can only be replaced here: the services' sleeps are to take the time of the history.
jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
  setImmediate: () => Promise.resolve(),
}));

const RUNS = 2_000;
const SEED = 20_240_601;
/** For machines that do much else. */
const TIMEOUT_MS = 300_000;

describe('Histories of requests and faults keep the invariants', () => {
  it.each([
    ['two processes on one database node', 1],
    ['two processes on two writers of a database cluster, whose clocks jump', WRITERS],
  ])(
    '%s',
    async (_, writers) => {
      const property = fc.asyncProperty(histories, async (history: History) => {
        const broken = await play(history, {}, writers);
        if (broken !== null) throw new Error(broken);
      });
      await fc.assert(property, { numRuns: RUNS, seed: SEED });
    },
    TIMEOUT_MS,
  );
});
