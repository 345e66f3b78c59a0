import { ALL_PROJECTS } from '../access/identity';
import {
  type MountResponseDto,
  parseTargetRequest,
  type TargetAction,
  type TargetRequestDto,
} from '@app/contracts';
import { type IdempotencyRepository, type KeyedOperation } from './idempotency.repository';
import { IdempotencyService } from './idempotency.service';

const BODY = {
  job: { jobid: 1 },
  host: 'node-1',
  backup_target: { id: 't', type: 'nfs', filesystem_export: 'server:/export' },
};
const RECORDED = { operation_id: 'first' } as MountResponseDto;
const ANEW = { operation_id: 'anew' } as MountResponseDto;

/** The keys of one request, found as each of `looks` says and then as the last of them; null: the key is free again. */
function serviceWith(...looks: (Partial<KeyedOperation> | null)[]): IdempotencyService {
  let hash: Buffer = Buffer.alloc(0);
  let isFree = false;
  const keys: Pick<IdempotencyRepository, 'insert' | 'find' | 'replace' | 'removeUnused'> = {
    insert: (_, requestHash) => {
      hash = requestHash;
      return Promise.resolve(isFree);
    },
    find: () => {
      const known = looks.length > 1 ? looks.shift() : looks[0];
      isFree = known === null;
      if (isFree) return Promise.resolve(null);
      return Promise.resolve({
        operationId: 'first',
        requestHash: hash,
        unchangedMs: 60_000,
        status: 'success',
        withdrawn: false,
        responseData: JSON.stringify(RECORDED),
        bindingState: null,
        ...known,
      });
    },
    replace: () => Promise.resolve(true),
    removeUnused: () => Promise.resolve(),
  };
  return new IdempotencyService(keys as IdempotencyRepository, { requestTimeoutMs: 1_000 });
}

async function again(action: TargetAction, ...looks: (Partial<KeyedOperation> | null)[]): Promise<unknown> {
  const request: TargetRequestDto = parseTargetRequest(BODY, action);
  const keyed = { key: 'key', scope: ALL_PROJECTS };
  const execute = (): Promise<MountResponseDto> => Promise.resolve(ANEW);
  const { response, isRepeated } = await serviceWith(...looks).once(keyed, action, request, execute);
  expect(isRepeated).toBe(response !== ANEW);
  return response;
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
    ['mount', 'failed', { status: 'error' }],
    ['unmount', 'failed', { status: 'error' }],
    ['unmount', 'failed while another unmount came', { status: 'error', withdrawn: true }],
    ['mount', 'succeeded after its answer was lost', { bindingState: 'claimed', responseData: null }],
    ['mount', 'was granted by a look at its operation', { bindingState: 'held', responseData: null }],
    ['unmount', 'succeeded after its answer was lost', { responseData: null }],
  ])('carries out anew the %s that %s', async (action, _, known) => {
    await expect(again(action, known)).resolves.toEqual(ANEW);
  });

  it.each<[TargetAction, string, Partial<KeyedOperation>, string]>([
    ['mount', 'whose hold has ended', { bindingState: 'released' }, 'CONFLICT'],
    [
      'mount',
      'that its job took back while it was under way',
      { status: 'error', withdrawn: true },
      'CONFLICT',
    ],
  ])('refuses the %s %s', async (action, _, known, code) => {
    await expect(again(action, known)).rejects.toMatchObject({ code });
  });

  const granted = { bindingState: 'held' } as const;

  it.each<[string, (Partial<KeyedOperation> | null)[], unknown]>([
    ['begun', [{ status: null, unchangedMs: 5 }, { status: 'executing' }, granted], RECORDED],
    ['refused before it was begun', [{ status: null, unchangedMs: 5 }, null], ANEW],
  ])('waits for a first request that is about to be %s', async (_, looks, answer) => {
    await expect(again('mount', ...looks)).resolves.toEqual(answer);
  });

  it('of one that is under way gets its operation at once where the end is not waited for', async () => {
    const request = parseTargetRequest(BODY, 'mount');
    const begun = (...looks: Partial<KeyedOperation>[]): Promise<string> =>
      serviceWith(...looks).begun({ key: 'key', scope: ALL_PROJECTS }, 'mount', request, () =>
        Promise.resolve('anew'),
      );
    await expect(begun({ status: 'executing' })).resolves.toBe('first');
    await expect(begun({ status: null, unchangedMs: 5 }, { status: 'executing' })).resolves.toBe('first');
    await expect(begun({ status: 'error' })).resolves.toBe('anew');
    await expect(begun(granted)).resolves.toBe('first');
    await expect(begun({ status: null })).resolves.toBe('anew');
  });
});
