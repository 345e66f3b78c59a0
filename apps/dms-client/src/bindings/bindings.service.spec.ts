import { type BindingDto, type BindingState } from '@app/contracts';
import { type TargetLedger } from '../ledger/target-ledger';
import { type BindingVerificationService } from './binding-verification.service';
import { type BindingFilter, type BindingsRepository, type BindingView } from './bindings.repository';
import { ALL_PROJECTS } from '../access/identity';
import { BindingsService } from './bindings.service';

function view(id: number, host: string): BindingView {
  const binding = { id, jobid: 1, backup_target_id: 't', host, state: 'held' } as BindingDto;
  return { binding, type: 's3', source: null, incarnation: null, mntId: null };
}

/** @param locked the binding's state as it is found under the lock; null: it is gone */
function serviceWith(views: BindingView[], locked: BindingState | null = 'released'): BindingsService {
  const repository = {
    find: ({ host, afterId = 0 }: BindingFilter, limit: number) =>
      Promise.resolve(
        views
          .filter(({ binding }) => (host === undefined || binding.host === host) && binding.id > afterId)
          .slice(0, limit),
      ),
  };
  const bindings = {
    remove: () => Promise.resolve(locked === 'released' || locked === 'lost' ? 1 : 0),
    ofJobs: () => Promise.resolve(new Map(locked === null ? [] : [[1, { jobid: 1, state: locked }]])),
  };
  const ledger = { transaction: (_: unknown, work: (t: unknown) => unknown) => work({ bindings }) };
  return new BindingsService(
    repository as unknown as BindingsRepository,
    ledger as unknown as TargetLedger,
    {} as BindingVerificationService,
  );
}

const NAME = { jobid: 1, backup_target_id: 't' };

describe('BindingsService', () => {
  it('gives pages, and a cursor while there are more', async () => {
    const service = serviceWith([view(3, 'a'), view(5, 'b'), view(9, 'c')]);
    const first = await service.list({ limit: 2 }, ALL_PROJECTS);
    expect(first.bindings.map(({ id }) => id)).toEqual([3, 5]);
    expect(first.next_cursor).toBe('5');
    const second = await service.list({ limit: 2, cursor: 5 }, ALL_PROJECTS);
    expect(second).toMatchObject({ bindings: [{ id: 9 }], next_cursor: null });
  });

  it('finds a binding without its host where there is one only', async () => {
    expect(await serviceWith([view(3, 'a')]).get(NAME, ALL_PROJECTS, false)).toMatchObject({ host: 'a' });
  });

  it('asks for the host where there are several', async () => {
    const service = serviceWith([view(3, 'a'), view(5, 'b')]);
    await expect(service.get(NAME, ALL_PROJECTS, false)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      details: { fields: [{ field: 'host' }] },
    });
    expect(await service.get({ ...NAME, host: 'b' }, ALL_PROJECTS, false)).toMatchObject({ host: 'b' });
  });

  it('says which binding is not there', async () => {
    await expect(serviceWith([]).get(NAME, ALL_PROJECTS, false)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each<BindingState>(['released', 'lost'])('deletes a binding that is %s', async (state) => {
    expect(await serviceWith([view(3, 'a')], state).remove(NAME, ALL_PROJECTS)).toMatchObject({
      status: 'success',
      host: 'a',
    });
  });

  it.each<BindingState>(['claimed', 'held'])('refuses to delete a binding that is %s', async (state) => {
    await expect(serviceWith([view(3, 'a')], state).remove(NAME, ALL_PROJECTS)).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });

  it('notices that the binding was deleted meanwhile', async () => {
    await expect(serviceWith([view(3, 'a')], null).remove(NAME, ALL_PROJECTS)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
