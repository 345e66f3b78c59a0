import { type DmsError, type TargetRequestDto, type UnmountResponseDto } from '@app/contracts';
import { type ArrivalsRepository } from '../ledger/arrivals.repository';
import { type HeldBindingsRepository } from '../ledger/held-bindings.repository';
import { MountReports } from '../nodes/mount-reports';
import { type NodeViewsService } from '../nodes/node-views.service';
import { type ClientSettings } from '../settings/client.settings';
import { MountsService } from './mounts.service';
import { type TargetCoordinator } from './target-coordinator.service';
import { type WaitingRequest } from './waiting-request';

const REQUEST = { host: 'h', backup_target: { id: 't' }, job: { jobid: 1 } } as TargetRequestDto;

describe('requests that nobody waits for any more', () => {
  let underWay: WaitingRequest[];
  let service: MountsService;

  beforeEach(() => {
    underWay = [];
    service = new MountsService(
      {
        submit: (_key: unknown, request: WaitingRequest) => underWay.push(request),
      } as unknown as TargetCoordinator,
      {} as NodeViewsService,
      {} as HeldBindingsRepository,
      { arrive: () => Promise.resolve({ place: 1, isPrompt: true }) } as unknown as ArrivalsRepository,
      new MountReports(),
      { requestTimeoutMs: 60_000, maxRequests: 5, maxCallerRequests: 2 } as ClientSettings,
    );
  });
  afterEach(() => {
    for (const request of underWay) request.answer({} as UnmountResponseDto);
  });

  /** The code of the refusal; null: it is under way. */
  const ask = async (projectId: string | null | undefined): Promise<string | null> => {
    const scope = projectId === undefined ? undefined : { projectId, proven: true };
    const refused = service.unmount(REQUEST, { scope }).then(
      () => null,
      ({ code }: DmsError) => code,
    );
    return Promise.race([refused, new Promise<null>((resolve) => setImmediate(() => resolve(null)))]);
  };

  it('count for their project until they have ended, and take nothing from others', async () => {
    expect([await ask('p'), await ask('p'), await ask('p')]).toEqual([null, null, 'RATE_LIMITED']);
    expect(await ask('q')).toBeNull();
    underWay[0].answer({} as UnmountResponseDto);
    expect([await ask('p'), await ask('p')]).toEqual([null, 'RATE_LIMITED']);
  });

  it('are bounded in all; what the service does by itself is not refused', async () => {
    for (let index = 0; index < 5; index += 1) expect(await ask(null)).toBeNull();
    expect([await ask(null), await ask('p')]).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);
    expect(await ask(undefined)).toBeNull();
  });
});
