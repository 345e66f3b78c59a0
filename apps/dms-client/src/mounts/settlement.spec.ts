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
