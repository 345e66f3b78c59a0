import { Logger } from '@nestjs/common';
import { type TargetAction } from '@app/contracts';
import { Choices } from '../interleavings/choices';
import { type Meeting, Schedule } from '../interleavings/schedule';

// Read when it is called: the time of a schedule stands in for the process's own.
jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
}));

const ACTIONS: readonly TargetAction[] = ['mount', 'unmount'];

const MEETINGS: Meeting[] = ACTIONS.flatMap((one) =>
  ACTIONS.flatMap((other) =>
    [true, false].flatMap((sameJob) =>
      [true, false].map((sameProcess) => ({ actions: [one, other] as const, sameJob, sameProcess })),
    ),
  ),
);

function nameOf({ actions, sameJob, sameProcess }: Meeting): string {
  const jobs = sameJob ? 'the same job' : 'another job';
  return `${actions[0]} and ${actions[1]} of ${jobs} in ${sameProcess ? 'one process' : 'two processes'}`;
}

/** The real services of dms-client over fakes of ledger and node, through the orders of their named points. */
describe('every order of two requests that meet keeps the invariants', () => {
  beforeAll(() => void Logger.overrideLogger(false));

  it.each(MEETINGS.map((meeting) => [nameOf(meeting), meeting] as const))('%s', async (_, meeting) => {
    const choices = new Choices();
    let schedules = 0;
    do {
      expect(await new Schedule(meeting, choices).run()).toBeNull();
      schedules += 1;
    } while (choices.next());
    expect(schedules).toBeGreaterThan(1);
  });

  it('would find a lease that is ignored', async () => {
    for (const meeting of MEETINGS) {
      const choices = new Choices();
      do {
        if ((await new Schedule(meeting, choices, { leaseIgnored: true }).run()) !== null) return;
      } while (choices.next());
    }
    throw new Error('No schedule shows it');
  });
});
