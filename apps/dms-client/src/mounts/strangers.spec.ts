import { type MountState } from '@app/contracts';
import { type TargetRow, type TargetTransaction } from '../ledger/target-transaction';
import { conflictWith } from './compatibility';
import { answerStrangers } from './strangers';
import { type WaitingRequest } from './waiting-request';

function waiting(action: 'mount' | 'unmount', projectId: string | null, proven = true): WaitingRequest {
  const backup_target = { id: 't', type: 's3' as const, secret_ref: 'http://barbican/v1/secrets/s' };
  return {
    action,
    operationId: 'operation',
    mountPath: null,
    request: { job: { jobid: 7 }, host: 'h', backup_target },
    scope: { projectId, proven },
    arrival: { place: 1, isPrompt: true },
  } as WaitingRequest;
}

function row(state: MountState, projectId: string | null): TargetRow {
  const source = 'http://barbican/v1/secrets/s';
  return {
    state,
    projectId,
    source,
    type: 's3',
    mountPath: '/base/t',
    epoch: 3,
    readOnly: false,
  } as TargetRow;
}

describe('requests that reach for what is of another project', () => {
  let recorded: { opening: { jobid: number | null } }[];

  /** @param owner project of the binding of job 7; undefined: it has none */
  const answer = async (request: WaitingRequest, mount: TargetRow, owner?: string | null, state = 'held') => {
    recorded = [];
    const rows = owner === undefined ? [] : [[7, { jobid: 7, state, projectId: owner }] as const];
    const transaction = {
      row: mount,
      bindings: { ofJobs: () => Promise.resolve(new Map(rows)) },
      operations: { record: (records: typeof recorded) => Promise.resolve(recorded.push(...records)) },
    };
    return (await answerStrangers(transaction as unknown as TargetTransaction, [request])).get(request);
  };

  it.each([
    ['its own binding', waiting('unmount', 'one'), 'one'],
    ['any binding, privileged', waiting('unmount', null), 'two'],
    ['any binding, where projects are not proven', waiting('unmount', 'one', false), 'two'],
  ])('are not those for %s', async (_, request, owner) => {
    expect(await answer(request, row('MOUNTED', 'one'), owner)).toBeUndefined();
  });

  it('are told that nothing is held or mounted', async () => {
    const result = await answer(waiting('unmount', 'one'), row('MOUNTED', 'two'), 'two');
    const response = {
      unmounted: false,
      physically_mounted: false,
      active_mounts_remaining: 0,
      mount_path: null,
    };
    expect(result).toMatchObject({ kind: 'answer', response: { ...response, epoch: 0, error_code: null } });
    expect(JSON.stringify(result)).not.toContain('/base');
    expect(recorded).toMatchObject([{ opening: { jobid: null } }]);
    expect(await answer(waiting('unmount', 'one'), row('MOUNTED', 'two'))).toEqual(result);
  });

  it('do not take a job that is bound already', async () => {
    const mount = waiting('mount', 'one');
    for (const state of ['claimed', 'held', 'lost']) {
      const result = await answer(mount, row('ABSENT', null), 'two', state);
      expect(result).toMatchObject({ kind: 'error', error: { code: 'FORBIDDEN' } });
    }
    expect(await answer(mount, row('ABSENT', null), 'two', 'released')).toBeUndefined();
  });

  it('do not release the hold of a service on a mount of their own project', async () => {
    expect(await answer(waiting('unmount', 'one'), row('MOUNTED', 'one'), 'two')).toMatchObject({
      kind: 'answer',
    });
  });
});

describe('sharing a mount', () => {
  it.each([
    ['its project', 'MOUNTED', 'one', null],
    ['another project', 'MOUNTED', 'two', 'FORBIDDEN'],
    ['a project that is not known', 'MOUNTED', null, 'FORBIDDEN'],
    ['another project, broken', 'BROKEN', 'two', 'FORBIDDEN'],
    ['another project, which is going', 'UNMOUNTING', 'two', null],
    ['another project, which is gone', 'ABSENT', 'two', null],
  ] as const)('of %s', (_, state, projectId, code) => {
    expect(conflictWith(row(state, projectId), waiting('mount', 'one'))?.code ?? null).toBe(code);
  });

  it('tells nothing of the mount to whom it is FORBIDDEN', () => {
    const elsewhere = { ...waiting('mount', 'one'), mountPath: '/base/elsewhere' };
    const error = conflictWith(row('MOUNTED', 'two'), elsewhere);
    expect(error?.message).not.toContain('/base');
  });
});
