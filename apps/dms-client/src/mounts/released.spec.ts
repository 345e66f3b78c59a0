import { type BindingState } from '@app/contracts';
import { type BindingRow } from '../ledger/binding-statements';
import { type TargetRow, type TargetTransaction } from '../ledger/target-transaction';
import { endsBinding, type Released, releasedBy } from './released';
import { unmountResponse, type UnmountResult } from './responses';
import { type WaitingRequest } from './waiting-request';

const PATH = '/base/nightly';

function unmount(holdId: string | null, released: Released = 'nothing'): WaitingRequest {
  const request = { job: { jobid: 1 }, host: 'h', hold_id: holdId };
  return { action: 'unmount', operationId: 'o', mountPath: null, request, released } as WaitingRequest;
}

describe('what of its job an unmount ends', () => {
  const ended = async (holdId: string | null, state: BindingState | null, named: string): Promise<string> => {
    const transaction = { bindings: { endHold: () => Promise.resolve(named) } };
    const binding = state === null ? undefined : ({ jobid: 1, state } as BindingRow);
    const waiting = unmount(holdId);
    waiting.released = await releasedBy(transaction as unknown as TargetTransaction, waiting, binding);
    return `${waiting.released}, ${endsBinding(waiting) ? 'released' : 'as it was'}`;
  };

  it.each<[string | null, BindingState | null, string, string]>([
    [null, 'held', '', 'all, released'],
    [null, 'claimed', '', 'all, released'],
    [null, 'lost', '', 'all, released'],
    [null, 'released', '', 'nothing, released'],
    [null, null, '', 'nothing, released'],
    ['a', 'held', 'last', 'all, released'],
    ['a', 'held', 'others remain', 'one of several, as it was'],
    ['a', 'held', 'unknown', 'nothing, as it was'],
  ])('of hold %j of a binding that is %j (%s): %s', async (holdId, state, named, expected) => {
    expect(await ended(holdId, state, named)).toBe(expected);
  });
});

describe('what an unmount is told that leaves the mount to others', () => {
  const told = (waiting: WaitingRequest, result: Partial<UnmountResult> = {}): string | null => {
    const row = { state: 'MOUNTED', mountPath: PATH, epoch: 2 } as TargetRow;
    const whole = { unmounted: false, remaining: 1, problem: null, ...result };
    return unmountResponse(waiting, row, whole).success_msg;
  };

  it.each<[string | null, Released, string]>([
    [null, 'all', `Released; 1 other job(s) still use the mount at ${PATH}`],
    [null, 'nothing', `The job held nothing; 1 other job(s) still use the mount at ${PATH}`],
    ['a', 'all', `Released; 1 other job(s) still use the mount at ${PATH}`],
    ['a', 'one of several', `Released the hold "a"; the job has other holds of the mount at ${PATH}`],
    ['a', 'nothing', `The job had no hold "a"; 1 job(s) still use the mount at ${PATH}`],
  ])('of hold %j, having ended %s', (holdId, released, text) => {
    expect(told(unmount(holdId, released))).toBe(text);
  });

  it('says that nothing was held, too, while the mount is being taken away', () => {
    const problem = { code: 'BUSY', message: 'PID 4711 (tar) uses it' } as const;
    expect(told(unmount(null), { remaining: 0, problem })).toBe(
      `The job held nothing; the mount at ${PATH} still stands and is being taken away: PID 4711 (tar) uses it`,
    );
  });

  it('does not call a mount one of others that was not there', () => {
    expect(told(unmount(null), { remaining: 0 })).toBe(`Target not mounted at ${PATH}`);
  });
});
