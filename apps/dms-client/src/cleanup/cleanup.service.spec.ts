import { Logger } from '@nestjs/common';
import { type BindingState, DmsError, type TargetRequestDto } from '@app/contracts';
import { type TargetLedger } from '../ledger/target-ledger';
import { type MountsService } from '../mounts/mounts.service';
import { CleanupService } from './cleanup.service';
import { type StaleBinding, type StaleBindingsRepository } from './stale-bindings.repository';

function stale(jobid: number, state: BindingState, targetId = 't'): StaleBinding {
  const entry = { jobid, backup_target_id: targetId, host: 'h', state, updated_at: null };
  return { id: jobid, entry, type: 'nfs' };
}

/** Bindings by job as they are under the lock, and what was done to them. */
class Ledger {
  readonly done: string[] = [];

  constructor(readonly bindings: Map<number, BindingState>) {}

  service(found: StaleBinding[], unmount?: () => Promise<unknown>): CleanupService {
    const repository = {
      find: (_: number, held: boolean, afterId: number) =>
        Promise.resolve(found.filter(({ id, entry }) => id > afterId && (held || entry.state !== 'held'))),
    };
    const mounts = {
      unmount: async ({ job }: TargetRequestDto) => {
        await unmount?.();
        this.done.push(`unmount ${job.jobid}`);
        this.bindings.set(job.jobid, 'released');
      },
    };
    const ledger = {
      transaction: (_: unknown, work: (t: unknown) => unknown) => work({ bindings: this.#statements }),
    };
    return new CleanupService(
      repository as unknown as StaleBindingsRepository,
      ledger as unknown as TargetLedger,
      mounts as unknown as MountsService,
    );
  }

  readonly #statements = {
    /** Of those that were found stale, job 9 was touched since. */
    unchangedFor: (jobids: number[]) => Promise.resolve(jobids.filter((jobid) => jobid !== 9)),
    ofJobs: (jobids: number[]) =>
      Promise.resolve(
        new Map(jobids.map((jobid) => [jobid, { jobid, state: this.bindings.get(jobid) ?? 'released' }])),
      ),
    release: (jobids: number[]) =>
      Promise.resolve(jobids.forEach((jobid) => this.done.push(`release ${jobid}`))),
    remove: (jobids: number[]) =>
      Promise.resolve(jobids.forEach((jobid) => this.done.push(`remove ${jobid}`))),
  };
}

describe('CleanupService', () => {
  beforeAll(() => {
    Logger.overrideLogger(false);
  });

  it('releases what is claimed or lost, and removes it with what is released', async () => {
    const ledger = new Ledger(new Map([[1, 'claimed'], [2, 'lost'], [3, 'released']])); // prettier-ignore
    const service = ledger.service([stale(1, 'claimed'), stale(2, 'lost'), stale(3, 'released')]);
    expect(await service.cleanup({ hours: 1 })).toMatchObject({ cleaned: 3, dry_run: false });
    expect(ledger.done).toEqual(['release 1', 'release 2', 'remove 1', 'remove 2', 'remove 3']);
  });

  it('lets what is held be, unless it is asked for', async () => {
    const ledger = new Ledger(new Map([[1, 'held']]));
    const service = ledger.service([stale(1, 'held')]);
    expect(await service.cleanup({ hours: 1 })).toMatchObject({ cleaned: 0 });
    expect(ledger.done).toEqual([]);
    expect(await service.cleanup({ hours: 1, held: true })).toMatchObject({ cleaned: 1 });
    expect(ledger.done).toEqual(['unmount 1', 'remove 1']);
  });

  it('looks again under the lock: what was touched or is held now stays', async () => {
    const ledger = new Ledger(new Map([[1, 'held'], [9, 'claimed']])); // prettier-ignore
    const service = ledger.service([stale(1, 'claimed'), stale(9, 'claimed')]);
    expect(await service.cleanup({ hours: 1 })).toMatchObject({ cleaned: 0, entries: [] });
    expect(ledger.done).toEqual([]);
  });

  it('only tells in a dry run', async () => {
    const ledger = new Ledger(new Map([[1, 'held']]));
    const service = ledger.service([stale(1, 'held'), stale(3, 'released')]);
    const answer = await service.cleanup({ hours: 1, dry_run: true, held: true });
    expect(answer).toMatchObject({ cleaned: 2, dry_run: true, entries: [{ jobid: 1 }, { jobid: 3 }] });
    expect(ledger.done).toEqual([]);
  });

  it('goes on after a failure, and tells of it', async () => {
    const ledger = new Ledger(new Map([[1, 'held'], [3, 'released']])); // prettier-ignore
    const fails = (): Promise<never> => Promise.reject(new DmsError('LOCK_TIMEOUT', 'locked'));
    const service = ledger.service([stale(1, 'held'), stale(3, 'released', 'u')], fails);
    await expect(service.cleanup({ hours: 1, held: true })).rejects.toMatchObject({
      code: 'LOCK_TIMEOUT',
      details: { cleaned: 1, failed: [{ details: { jobid: 1, host: 'h', backup_target_id: 't' } }] },
    });
    expect(ledger.done).toEqual(['remove 3']);
  });
});
