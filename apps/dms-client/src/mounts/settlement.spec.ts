import { Logger } from '@nestjs/common';
import { DmsError, type LegacyReply, type NodeReply } from '@app/contracts';
import { type OperationEnd } from '../ledger/operation-statements';
import { type RowChange, type TargetRow, type TargetTransaction } from '../ledger/target-transaction';
import { Drive } from './drive';
import { endedBadly, WITHDRAWN } from './responses';
import { SettlementService } from './settlement.service';
import { type Command } from './step';
import { type WaitingRequest } from './waiting-request';

Logger.overrideLogger(false);

const KEY = { host: 'compute-01', targetId: 'nightly' };
const FENCE = { action: 'fence', participants: [] } as unknown as Command;

/** What is written to a row by a fence that finds nothing mounted. */
async function changeOf(errorCode: string | null): Promise<RowChange> {
  let change: RowChange = {};
  const transaction = {
    key: KEY,
    row: { state: 'UNCERTAIN', mntId: null, errorCode },
    bindings: { lose: () => Promise.resolve([]), ofJobs: NO_BINDINGS },
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

const NO_BINDINGS = (): Promise<Map<number, never>> => Promise.resolve(new Map<number, never>());

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

describe('that a mount did not go cleanly', () => {
  const WHY = 'sync: error syncing: No space left on device';
  const settled = async (action: 'unmount' | 'fence', changes: object): Promise<RowChange> => {
    let change: RowChange = {};
    const transaction = {
      key: KEY,
      row: { state: 'UNCERTAIN', mntId: 7, errorCode: 'TIMEOUT' },
      bindings: { lose: () => Promise.resolve([]), ofJobs: NO_BINDINGS },
      change: (to: RowChange) => Promise.resolve(void (change = to)),
    } as unknown as TargetTransaction;
    const reply = {
      ...{ status: 'success', error_code: null, incarnation: 'a-memory', boot_id: 'a-boot' },
      mount: { state: 'absent', mounted: false, children_left: 0, flush_verified: false, flush_problem: WHY },
      ...changes,
    } as unknown as NodeReply;
    const outcome = { kind: 'reply', reply: { kind: 'node', reply } } as const;
    const command = { action, participants: [] } as unknown as Command;
    await new SettlementService().settle(transaction, new Drive(KEY, new Set()), command, outcome);
    return change;
  };
  const dirty = { state: 'ABSENT', errorCode: 'UNMOUNTED_DIRTY', errorMessage: WHY };

  it.each<['unmount' | 'fence', object]>([
    ['unmount', { error_code: 'UNMOUNTED_DIRTY' }],
    // The answer to the unmount was lost, so that the fence alone tells it.
    ['fence', {}],
    // An older node says it in its sentence alone.
    [
      'unmount',
      {
        error_code: 'UNMOUNTED_DIRTY',
        success_msg: `Target unmounted successfully from /base/t, but not cleanly: ${WHY}`,
        mount: { state: 'absent', mounted: false, children_left: 0, flush_verified: false },
      },
    ],
  ])('is kept in the words of the node, by the answer to the %s', async (action, changes) => {
    expect(await settled(action, changes)).toMatchObject(dirty);
  });

  it('is told to the next unmount in the words of the node, also by another process', () => {
    const row = { state: 'ABSENT', errorCode: 'UNMOUNTED_DIRTY', errorMessage: WHY } as TargetRow;
    expect(endedBadly(row)).toEqual({ code: 'UNMOUNTED_DIRTY', message: WHY });
    expect(endedBadly({ ...row, state: 'MOUNTED' })).toBeNull();
    expect(endedBadly({ ...row, errorCode: null })).toBeNull();
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
    const transaction = { key: KEY, row, bindings: { lose, withdraw, ofJobs: NO_BINDINGS }, change };
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

describe('an unmount that is refused for the sake of Python programs', () => {
  const HOLDERS = [
    { id: 'one', jobid: 7, age_ms: 10 },
    { id: 'two', jobid: 8, age_ms: 20 },
  ];
  const settled = async (holders: object[], ended: number[], drive = new Drive(KEY, new Set())) => {
    const change = jest.fn(() => Promise.resolve());
    const bindings = { endedSince: () => Promise.resolve(ended) };
    const [row, clock] = [{ state: 'UNMOUNTING', ledger: null }, { now: '2026-01-01 00:00:00.000000' }];
    const transaction = { key: KEY, row, clock, bindings, change };
    const reply = {
      ...{ status: 'error', error_code: 'BUSY', error_msg: 'held', acted: false, legacy_holders: holders },
      ...{
        incarnation: 'a-memory',
        boot_id: 'a-boot',
        mount: { state: 'mounted', mounted: true, users: [] },
      },
    } as unknown as NodeReply;
    const outcome = { kind: 'reply', reply: { kind: 'node', reply } } as const;
    const command = { action: 'unmount', participants: [] } as unknown as Command;
    await new SettlementService().settle(transaction as never, drive, command, outcome);
    expect(change).toHaveBeenCalledWith(expect.objectContaining({ state: 'MOUNTED' }));
    return drive;
  };

  it('is sent again, and names them, where all of them have ended by the ledger', async () => {
    const drive = await settled(HOLDERS, [7, 8]);
    expect([drive.problem, drive.legacyEnded]).toEqual([null, ['one', 'two']]);
  });

  it.each([
    ['one of them may be there yet', HOLDERS, [7]],
    ['one of them has no name', [{ id: 'one', jobid: null, age_ms: 1 }], []],
  ])('rests where %s', async (_, holders, ended) => {
    const drive = await settled(holders, ended);
    expect([drive.problem, drive.legacyEnded]).toEqual([{ code: 'BUSY', message: 'held' }, []]);
  });

  it('is not sent for ever to a node that does not listen', async () => {
    const drive = await settled(HOLDERS, [7, 8]);
    expect((await settled(HOLDERS, [7, 8], drive)).problem).toEqual({ code: 'BUSY', message: 'held' });
  });
});

describe('a mount that the node refused', () => {
  const stateAfter = async (reply: Partial<NodeReply>): Promise<unknown> => {
    const change = jest.fn((_: RowChange) => Promise.resolve());
    const transaction = {
      key: KEY,
      row: { state: 'MOUNTING' },
      bindings: { withdraw: jest.fn(), ofJobs: NO_BINDINGS },
      change,
    };
    const refusal = { status: 'error', error_msg: 'no', acted: false, mount: null, ...reply } as NodeReply;
    const outcome = { kind: 'reply', reply: { kind: 'node', reply: refusal } } as const;
    const command = { action: 'mount', epoch: 5, participants: [] } as unknown as Command;
    await new SettlementService().settle(transaction as never, new Drive(KEY, new Set()), command, outcome);
    return change.mock.calls[0][0].state;
  };

  it.each([
    ['is settled where its epoch is used up', { error_code: 'BUSY', epoch: 5 }, 'ABSENT'],
    ['is settled where another ledger is served', { error_code: 'CONFLICT', epoch: 2 }, 'ABSENT'],
    ['is settled where it was not understood', { error_code: 'FORBIDDEN', epoch: null }, 'ABSENT'],
    [
      'is to be fenced where the node could not remember it',
      { error_code: 'INTERNAL', epoch: 4 },
      'UNCERTAIN',
    ],
  ] as const)('%s', async (_, reply, state) => {
    expect(await stateAfter(reply)).toBe(state);
  });
});

describe('a fence that cannot be answered yet', () => {
  it('refuses the mounts that wait where nothing can be said', async () => {
    const end = jest.fn((_: { status: string; errorCode: string }) => Promise.resolve());
    const bindings = { withdraw: jest.fn(() => Promise.resolve()), ofJobs: NO_BINDINGS };
    const operations = { end, ofJobsSince: () => Promise.resolve([]) };
    const change = jest.fn(() => Promise.resolve());
    const row = { state: 'UNCERTAIN', epoch: 5, mntId: null };
    const mount = { state: 'unknown', mounted: false, children_left: 1 };
    const reply = { status: 'error', error_code: 'TIMEOUT', error_msg: 'a child lives', mount, acted: true };
    const outcome = { kind: 'reply', reply: { kind: 'node', reply: reply as never } } as const;
    const waiting = { action: 'mount', operationId: 'op', answered: false, request: { job: { jobid: 7 } } };
    const command = { action: 'fence', epoch: 5, participants: [waiting] } as unknown as Command;
    const transaction = { key: KEY, row, bindings, operations, change };
    const drive = new Drive(KEY, new Set());
    await new SettlementService().settle(transaction as never, drive, command, outcome);
    expect(change).toHaveBeenCalledWith(expect.objectContaining({ state: 'UNCERTAIN' }));
    expect(end.mock.calls[0][0]).toMatchObject({ status: 'error', errorCode: 'BUSY' });
    expect(drive.problem).toEqual({ code: 'TIMEOUT', message: 'a child lives' });
  });
});

describe('a mount that is refused', () => {
  it.each<[string, string, string, string]>([
    ['with the reason', 'claimed', 'MOUNT_FAILED', 'the node said no'],
    ['as withdrawn if its job has asked for the unmount meanwhile', 'released', 'CONFLICT', WITHDRAWN],
  ])('ends %s', async (_, state, code, message) => {
    const end = jest.fn((_end: OperationEnd) => Promise.resolve(true));
    const transaction = {
      row: { epoch: 5 },
      bindings: {
        withdraw: () => Promise.resolve(),
        ofJobs: () => Promise.resolve(new Map([[7, { state }]])),
      },
      operations: { end },
    };
    const waiting = { action: 'mount', operationId: 'o', request: { job: { jobid: 7 } } } as WaitingRequest;
    const error = new DmsError('MOUNT_FAILED', 'the node said no');
    await new Drive(KEY, new Set([waiting])).refuse(transaction as never, [waiting], error);
    expect(end.mock.calls[0][0]).toMatchObject({ errorCode: code, errorMessage: message });
  });
});

describe('the success of a Python server that was told to unmount', () => {
  it.each([
    ['Target unmounted successfully from /mnt/p', true],
    ['Target not mounted at /mnt/p', false],
    [null, true],
  ])('that says %j took the mount away: %s', async (success_msg, unmounted) => {
    const drive = new Drive(KEY, new Set());
    const change = jest.fn(() => Promise.resolve());
    const reply = { status: 'success', error_msg: null, success_msg } as LegacyReply;
    const outcome = { kind: 'reply', reply: { kind: 'legacy', reply } } as const;
    const command = { action: 'unmount', participants: [] } as unknown as Command;
    await new SettlementService().settle({ key: KEY, change } as never, drive, command, outcome);
    expect(change).toHaveBeenCalledWith(expect.objectContaining({ state: 'ABSENT' }));
    expect(drive.unmounted).toBe(unmounted);
  });
});
