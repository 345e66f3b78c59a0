import { Logger } from '@nestjs/common';
import { type TargetAction } from '@app/contracts';
import { Choices } from '../interleavings/choices';
import { Schedule } from '../interleavings/schedule';

// Read when it is called: the time of a schedule stands in for the process's own.
jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
  setImmediate: () => Promise.resolve(),
}));

const ACTIONS: readonly TargetAction[] = ['mount', 'unmount'];
const TIMEOUT_MS = 300_000;

/** Two interruptions, where the two share so much of their way that all orders can be gone through. */
describe('every order of two requests of one process, with two interruptions', () => {
  beforeAll(() => void Logger.overrideLogger(false));

  it.each(
    ACTIONS.flatMap((one) => ACTIONS.flatMap((other) => [true, false].map((same) => ({ one, other, same })))),
  )(
    'keeps the invariants: %o',
    async ({ one, other, same }) => {
      const choices = new Choices();
      const meeting = { actions: [one, other] as const, sameJob: same, sameProcess: true };
      do {
        expect(await new Schedule(meeting, choices, { interruptions: 2 }).run()).toBeNull();
      } while (choices.next());
    },
    TIMEOUT_MS,
  );
});
