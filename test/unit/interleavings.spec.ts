import { Logger } from '@nestjs/common';
import { type TargetAction } from '@app/contracts';
import { Choices } from '../interleavings/choices';
import { Death, type Dying } from '../interleavings/death';
import { type Meeting, Schedule } from '../interleavings/schedule';

// Read when it is called: the time of a schedule stands in for the process's own.
jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
  setImmediate: () => Promise.resolve(),
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

beforeAll(() => void Logger.overrideLogger(false));

/** The real services of dms-client over fakes of ledger and node, through the orders of their named points. */
describe('every order of two requests that meet keeps the invariants', () => {
  it.each(MEETINGS.map((meeting) => [nameOf(meeting), meeting] as const))('%s', async (_, meeting) => {
    const choices = new Choices();
    let schedules = 0;
    do {
      expect(await new Schedule(meeting, choices).run()).toBeNull();
      schedules += 1;
    } while (choices.next());
    expect(schedules).toBeGreaterThan(1);
  });
});

const DYINGS: Dying[] = ACTIONS.flatMap((action) =>
  [false, true].flatMap((shared) =>
    [true, false].flatMap((asksAgain) =>
      (['dies', 'lives'] as const).map((child) => ({ action, shared, asksAgain, child })),
    ),
  ),
);

function nameOfDying({ action, shared, asksAgain, child }: Dying): string {
  const again = asksAgain ? 'the job asks again' : 'the job asks for nothing more';
  return `${shared ? 'a shared' : 'the only'} ${action}; ${again}; a child of the node ${child}`;
}

async function deathsOf(dying: Dying): Promise<{ points: string[]; found: string | null }> {
  const points: string[] = [];
  for (let at = 1; ; at += 1) {
    const death = new Death(dying, at);
    const found = await death.run();
    if (found !== null) return { points, found };
    if (death.where === null) return { points, found: null };
    points.push(death.where);
  }
}

describe('a death at every point of a request is healed', () => {
  it.each(DYINGS.map((dying) => [nameOfDying(dying), dying] as const))('%s', async (_, dying) => {
    const { points, found } = await deathsOf(dying);
    expect(found).toBeNull();
    expect(points).toContain('process A before a commit');
    if (!dying.shared) expect(points.some((point) => point.startsWith('the node'))).toBe(true);
  });
});
