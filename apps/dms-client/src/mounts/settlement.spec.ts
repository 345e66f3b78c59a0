import { type NodeReply } from '@app/contracts';
import { type RowChange, type TargetTransaction } from '../ledger/target-transaction';
import { Drive } from './drive';
import { SettlementService } from './settlement.service';
import { type Command } from './step';

const KEY = { host: 'compute-01', targetId: 'nightly' };
const FENCE = { action: 'fence', participants: [] } as unknown as Command;

/** What is written to a row by a fence that finds nothing mounted. */
async function changeOf(errorCode: string | null): Promise<RowChange> {
  let change: RowChange = {};
  const transaction = {
    key: KEY,
    row: { state: 'UNCERTAIN', mntId: null, errorCode },
    bindings: { lose: () => Promise.resolve([]) },
    change: (to: RowChange) => {
      change = to;
      return Promise.resolve();
    },
  } as unknown as TargetTransaction;
  const reply = {
    status: 'success',
    error_code: null,
    incarnation: 'a-memory',
    boot_id: 'a-boot',
    mount: { state: 'absent', mounted: false, children_left: 0 },
  } as unknown as NodeReply;
  const outcome = { kind: 'reply', reply: { kind: 'node', reply } } as const;
  await new SettlementService().settle(transaction, new Drive(KEY, new Set()), FENCE, outcome);
  return change;
}

describe('a fence that finds nothing', () => {
  it('ends what was wrong', async () => {
    expect(await changeOf('TIMEOUT')).toMatchObject({ state: 'ABSENT', errorCode: null });
  });

  it('keeps that the last unmount was not clean, for the job that has not been told yet', async () => {
    const change = await changeOf('UNMOUNTED_DIRTY');
    expect(change.state).toBe('ABSENT');
    expect(change).not.toHaveProperty('errorCode');
  });
});

describe('a fence that is refused because the node serves another ledger', () => {
  const row = { state: 'MOUNTED', mntId: 7, bootId: 'a-boot', device: '0:7', ledger: 'ours' };
  const standing = { state: 'mounted', mounted: true, mnt_id: 7, device: '0:7', children_left: 0 };

  it.each([
    ['keeps the holds of a mount that still stands', standing, 0],
    ['keeps them where it cannot be said', { ...standing, state: 'unknown' }, 0],
    ['makes them lost where nothing stands', { ...standing, state: 'absent', mounted: false }, 1],
    ['makes them lost where another mount stands', { ...standing, mnt_id: 8 }, 1],
  ])('settles nothing, and %s', async (_, mount, losses) => {
    const change = jest.fn(() => Promise.resolve());
    const lose = jest.fn(() => Promise.resolve([]));
    const withdraw = jest.fn(() => Promise.resolve());
    const transaction = { key: KEY, row, bindings: { lose, withdraw }, change };
    const reply = {
      ...{ status: 'error', error_code: 'CONFLICT', error_msg: 'another ledger', acted: false },
      ...{ incarnation: 'a-memory', boot_id: 'a-boot', ledger: 'theirs', mount },
    } as unknown as NodeReply;
    const drive = new Drive(KEY, new Set());
    const outcome = { kind: 'reply', reply: { kind: 'node', reply } } as const;
    await new SettlementService().settle(transaction as never, drive, FENCE, outcome);
    expect(lose).toHaveBeenCalledTimes(losses);
    expect(change).toHaveBeenCalledWith({
      ...{ state: 'UNCERTAIN', errorCode: 'CONFLICT', errorMessage: 'another ledger' },
    });
    expect(drive.problem).toEqual({ code: 'CONFLICT', message: 'another ledger' });
  });
});
