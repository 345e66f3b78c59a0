import { type TargetRow, type TargetTransaction } from '../ledger/target-transaction';
import { Drive } from './drive';
import { notFlushed, type UnmountResult } from './responses';
import { type TargetResponse, type WaitingRequest } from './waiting-request';

const KEY = { host: 'compute-01', targetId: 'nightly' };

/** The answer to an unmount that is ended by a drive which did nothing itself. */
async function answerOf(
  row: Partial<TargetRow>,
  problem: UnmountResult['problem'],
  leftBefore = false,
): Promise<TargetResponse> {
  const answers: TargetResponse[] = [];
  const waiting = {
    action: 'unmount',
    operationId: 'an-operation',
    request: { host: KEY.host, job: { jobid: 1 }, backup_target: { id: KEY.targetId, type: 's3' } },
    answered: false,
    problem,
    leftBefore,
    answer: (response: TargetResponse) => answers.push(response),
  } as unknown as WaitingRequest;
  const transaction = {
    key: KEY,
    row: { state: 'ABSENT', epoch: 3, mountPath: '/base/nightly', errorCode: null, ...row },
    bindings: { count: () => Promise.resolve({ claimed: 0, held: 0 }) },
    operations: { end: () => Promise.resolve() },
  } as unknown as TargetTransaction;
  const drive = new Drive(KEY, new Set([waiting]));
  await drive.finishUnmounts(transaction);
  drive.deliver();
  return answers[0];
}

describe('an unmount whose mount somebody else took away meanwhile', () => {
  it('is told that it did not go cleanly', async () => {
    expect(await answerOf({ errorCode: 'UNMOUNTED_DIRTY' }, null)).toMatchObject({
      physically_mounted: false,
      error_code: 'UNMOUNTED_DIRTY',
    });
  });

  it('is told that the job had lost it before', async () => {
    expect(await answerOf({}, notFlushed(null))).toMatchObject({ error_code: 'UNMOUNTED_DIRTY' });
  });

  it('is told its own loss alone where its job had left before that mount was made', async () => {
    expect(await answerOf({ errorCode: 'UNMOUNTED_DIRTY' }, null, true)).toMatchObject({ error_code: null });
    expect(await answerOf({ errorCode: 'UNMOUNTED_DIRTY' }, notFlushed('its own'), true)).toMatchObject({
      error_code: 'UNMOUNTED_DIRTY',
      success_msg: expect.stringContaining('its own') as string,
    });
  });

  it('is told nothing where all was well', async () => {
    expect(await answerOf({}, null)).toMatchObject({ physically_mounted: false, error_code: null });
  });
});
