import { type ErrorCode, type MountState } from '@app/contracts';
import { ChangeList, mountChange } from './changes';
import { type TargetRow } from './target-transaction';

function row(state: MountState, mntId: number | null = null, errorCode: ErrorCode | null = null): TargetRow {
  return { state, mntId, errorCode } as TargetRow;
}

describe('what happened to a mount', () => {
  it.each([
    ['mounted', row('MOUNTING'), row('MOUNTED', 7)],
    ['mounted, found out by a fence', row('UNCERTAIN'), row('MOUNTED', 7)],
    ['mounted, another than before', row('UNCERTAIN', 6), row('MOUNTED', 7)],
    ['healed', row('UNCERTAIN', 7), row('MOUNTED', 7)],
    ['doubtful', row('UNCERTAIN', 7), row('UNCERTAIN', 7, 'TIMEOUT')],
    ['doubtful, after an unmount', row('UNMOUNTING', 7), row('STUCK', 7, 'TIMEOUT')],
    ['broken', row('UNCERTAIN', 7), row('BROKEN', 7)],
    ['unmounted', row('UNMOUNTING', 7), row('ABSENT')],
    ['unmounted, by a stranger', row('UNCERTAIN', 7), row('ABSENT')],
  ])('%s', (name, before, after) => {
    expect(mountChange(before, after)).toBe(name.split(',')[0]);
  });

  it.each([
    ['a mount that failed', row('MOUNTING'), row('ABSENT')],
    ['an unmount that was busy', row('UNMOUNTING', 7), row('MOUNTED', 7)],
    ['a broken layer that was busy', row('UNMOUNTING', 7), row('BROKEN', 7)],
    ['doubt', row('MOUNTED', 7), row('UNCERTAIN', 7)],
    ['doubt that was told', row('UNCERTAIN', 7, 'TIMEOUT'), row('STUCK', 7, 'TIMEOUT')],
    ['doubt about a mount that never stood', row('MOUNTING'), row('UNCERTAIN', null, 'TIMEOUT')],
    ['no other state', row('MOUNTED', 7), row('MOUNTED', 7)],
  ])('%s is none', (_, before, after) => {
    expect(mountChange(before, after)).toBeNull();
  });
});

describe('the changes of a transaction', () => {
  it('concern those who hold the mount, and those who lost it, in the order of what was done', async () => {
    const list = new ChangeList();
    list.jobs('lost', [1, 2]);
    list.jobs('released', []);
    list.mount('broken');
    list.mount(null);
    expect(await list.complete(() => Promise.resolve([2, 3]))).toEqual([
      { kind: 'lost', jobids: [1, 2], operation: null },
      { kind: 'broken', jobids: [1, 2, 3], operation: null },
    ]);
  });

  it('ask nobody who holds a mount to which nothing happened', async () => {
    const list = new ChangeList();
    const operation = {
      id: 'o',
      action: 'mount',
      status: 'executing',
      error_code: null,
      request_id: null,
    } as const;
    list.operation(operation, 1);
    list.operation({ ...operation, status: 'error', error_code: 'BUSY' }, 1);
    const changes = await list.complete(() => Promise.reject(new Error('asked')));
    expect(changes.map(({ kind }) => kind)).toEqual(['operation_begun', 'operation_ended']);
  });
});
