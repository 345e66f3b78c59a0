import { ALL_PROJECTS } from '../access/identity';
import {
  type MountResponseDto,
  parseTargetRequest,
  type TargetAction,
  type TargetRequestDto,
} from '@app/contracts';
import { type ClientSettings } from '../settings/client.settings';
import { type IdempotencyRepository, type KeyedOperation } from './idempotency.repository';
import { IdempotencyService } from './idempotency.service';

const BODY = {
  job: { jobid: 1 },
  host: 'node-1',
  backup_target: { id: 't', type: 'nfs', filesystem_export: 'server:/export' },
};
const RECORDED = { operation_id: 'first' } as MountResponseDto;
const ANEW = { operation_id: 'anew' } as MountResponseDto;

/** The keys of one request that ended as `known` says. */
function serviceWith(known: Partial<KeyedOperation>): IdempotencyService {
  let hash: Buffer = Buffer.alloc(0);
  const keys: Pick<IdempotencyRepository, 'insert' | 'find' | 'replace'> = {
    insert: (_, requestHash) => {
      hash = requestHash;
      return Promise.resolve(false);
    },
    find: () =>
      Promise.resolve({
        operationId: 'first',
        requestHash: hash,
        status: 'success',
        errorCode: null,
        errorMessage: null,
        responseData: JSON.stringify(RECORDED),
        bindingState: null,
        ...known,
      }),
    replace: () => Promise.resolve(true),
  };
  return new IdempotencyService(keys as IdempotencyRepository, { requestTimeoutMs: 1_000 } as ClientSettings);
}

function again(action: TargetAction, known: Partial<KeyedOperation>): Promise<unknown> {
  const request: TargetRequestDto = parseTargetRequest(BODY, action);
  return serviceWith(known).once({ key: 'key', scope: ALL_PROJECTS }, action, request, () =>
    Promise.resolve(ANEW),
  );
}

describe('a repeated Idempotency-Key', () => {
  it.each<[TargetAction, string, Partial<KeyedOperation>]>([
    ['mount', 'is held still', { bindingState: 'held' }],
    ['unmount', 'was answered', {}],
  ])('gets the answer of the %s that %s', async (action, _, known) => {
    await expect(again(action, known)).resolves.toEqual(RECORDED);
  });

  it.each<[TargetAction, string, Partial<KeyedOperation>]>([
    ['mount', 'was never begun', { status: null }],
    ['mount', 'failed for a passing reason', { status: 'error', errorCode: 'NODE_UNREACHABLE' }],
    ['mount', 'succeeded after its answer was lost', { bindingState: 'claimed', responseData: null }],
    ['mount', 'was granted by a look at its operation', { bindingState: 'held', responseData: null }],
    ['unmount', 'succeeded after its answer was lost', { responseData: null }],
  ])('carries out anew the %s that %s', async (action, _, known) => {
    await expect(again(action, known)).resolves.toEqual(ANEW);
  });

  it.each<[TargetAction, string, Partial<KeyedOperation>, string]>([
    ['mount', 'whose hold has ended', { bindingState: 'released' }, 'CONFLICT'],
    ['mount', 'that failed for good', { status: 'error', errorCode: 'MOUNT_FAILED' }, 'MOUNT_FAILED'],
  ])('refuses the %s %s', async (action, _, known, code) => {
    await expect(again(action, known)).rejects.toMatchObject({ code });
  });
});
