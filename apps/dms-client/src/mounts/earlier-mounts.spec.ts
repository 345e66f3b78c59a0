import { type BindingRow } from '../ledger/binding-statements';
import { type LastSuccess } from '../ledger/operation-statements';
import { type TargetTransaction } from '../ledger/target-transaction';
import { earlierMounts } from './earlier-mounts';

const JOB = 1;
const DIRTY = { state: 'ABSENT', errorCode: 'UNMOUNTED_DIRTY', errorMessage: 'the disk is full' };
const CLEAN = { state: 'ABSENT', errorCode: null, errorMessage: null };

/** What job 1 is told, whose last request that succeeded was `last`, the mount having been made at place 10. */
async function told(
  row: object,
  last: Partial<LastSuccess> | null,
  state: BindingRow['state'] | null = 'released',
): Promise<string | undefined> {
  const success = { action: 'unmount', errorCode: null, message: null, arrival: 11, ...last };
  const operations = {
    lastSuccesses: (jobids: readonly number[]) =>
      Promise.resolve(new Map(last === null ? [] : jobids.map((jobid) => [jobid, success]))),
    lastMountMade: () => Promise.resolve(10),
  };
  const before = new Map(state === null ? [] : [[JOB, { jobid: JOB, state } as BindingRow]]);
  const transaction = { row, operations } as unknown as TargetTransaction;
  return (await earlierMounts(transaction, [JOB], before)).get(JOB)?.problem?.message;
}

describe('a job that asks again for an unmount is told that its mount ended badly', () => {
  const own = {
    errorCode: 'UNMOUNTED_DIRTY',
    message: 'Target unmounted from /b, but: no space left',
  } as const;

  it('by its own unmount, whatever became of the target since', async () => {
    expect(await told(CLEAN, own)).toBe('no space left');
    expect(await told({ state: 'MOUNTED' }, { ...own, arrival: 5 })).toBe('no space left');
  });

  it('also where it was not the last to leave that mount', async () => {
    expect(await told(DIRTY, {})).toBe('the disk is full');
    expect(await told(DIRTY, null)).toBe('the disk is full');
  });

  it('but not of a mount that was made after it had left', async () => {
    expect(await told(DIRTY, { arrival: 9 })).toBeUndefined();
    expect(await told(DIRTY, { ...own, arrival: 9 })).toBe('no space left');
  });

  it('and only then', async () => {
    expect(await told(CLEAN, {})).toBeUndefined();
    expect(await told(DIRTY, {}, null)).toBeUndefined();
    expect(await told(CLEAN, { ...own, action: 'mount' })).toBeUndefined();
    expect(await told({ state: 'MOUNTED' }, own, 'held')).toBeUndefined();
  });
});
