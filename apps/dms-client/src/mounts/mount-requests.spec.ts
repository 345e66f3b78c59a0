import { DmsError, type MountResponseDto, type TargetRequestDto } from '@app/contracts';
import { ALL_PROJECTS } from '../access/identity';
import { type OperationsService } from '../operations/operations.service';
import { type IdempotencyService } from './idempotency.service';
import { MountRequestsService } from './mount-requests.service';
import { type MountsService } from './mounts.service';

const REQUEST = {} as TargetRequestDto;
const GRANTED = { status: 'success', epoch: 3 } as MountResponseDto;

describe('a mount that was answered before under its Idempotency-Key', () => {
  it('is answered again only while it stands', async () => {
    const lost = new DmsError('TIMEOUT', 'The mount may have been lost');
    const lookAgain = jest.fn().mockResolvedValueOnce(undefined).mockRejectedValueOnce(lost);
    const service = new MountRequestsService(
      { lookAgain } as unknown as MountsService,
      {
        once: () => Promise.resolve({ response: GRANTED, isRepeated: true }),
      } as unknown as IdempotencyService,
      {} as OperationsService,
    );
    const ask = (): Promise<unknown> =>
      service.execute('mount', REQUEST, { key: 'key', caller: { aborted: false }, scope: ALL_PROJECTS });
    expect(await ask()).toBe(GRANTED);
    await expect(ask()).rejects.toBe(lost);
    expect(lookAgain).toHaveBeenCalledWith(REQUEST, GRANTED);
  });
});
