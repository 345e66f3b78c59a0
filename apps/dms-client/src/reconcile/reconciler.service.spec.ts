import { Logger } from '@nestjs/common';
import { type Inventory, type MountObservation } from '@app/contracts';
import { type TargetLedger } from '../ledger/target-ledger';
import { type TargetCoordinator } from '../mounts/target-coordinator.service';
import { type Asker } from '../nodes/differences';
import { type LedgerMount, type NodeFactsRepository, UNWRITTEN_LIMIT } from '../nodes/node-facts.repository';
import { type NodeLooksService } from '../nodes/node-looks.service';
import { type NodeLeaseRepository } from './node-lease.repository';
import { ReconcilerService } from './reconciler.service';

const HELD = {
  state: null,
  epoch: 0,
  mountPath: null,
  mntId: null,
  incarnation: null,
  held: 1,
  unheld: false,
  problem: null,
};

const ABSENT = { state: 'ABSENT', leased: false, mountPath: null, epoch: 1 };
const NOTHING: Inventory = { mounts: [], foreign: [], processes: [] };

interface Circumstances {
  readonly seen?: Inventory;
  readonly dryRun?: boolean;
  readonly by?: Asker;
  /** Whether settling a target brings it to rest, and its row after that. */
  readonly atRest?: boolean;
  readonly row?: object;
}

/** Reconciles a node with these mounts in the ledger; tells what was answered, settled and recorded. */
async function reconciled(
  mounts: LedgerMount[],
  { seen = NOTHING, dryRun = false, by = 'person', atRest = true, row = ABSENT }: Circumstances = {},
) {
  const settled: string[] = [];
  const recorded: object[] = [];
  let [now, most] = [0, 0];
  const record = (operations: { end: object }[]): Promise<void> =>
    Promise.resolve(void recorded.push(...operations.map(({ end }) => end)));
  const service = new ReconcilerService(
    {
      hosts: () => Promise.resolve(['h']),
      incomparable: () => Promise.resolve([]),
      run: <T>(_: string, work: () => Promise<T>) => work(),
    } as unknown as NodeLeaseRepository,
    {
      mounts: () => Promise.resolve(new Map(mounts.map((mount) => [mount.targetId, mount]))),
    } as unknown as NodeFactsRepository,
    { inventory: () => Promise.resolve({ incarnation: 'i', seen }) } as unknown as NodeLooksService,
    {
      settle: async ({ targetId }: { targetId: string }) => {
        now += 1;
        most = Math.max(most, now);
        await new Promise(setImmediate);
        now -= 1;
        return settled.push(targetId) > 0 && atRest;
      },
    } as unknown as TargetCoordinator,
    {
      transaction: (_: unknown, work: (transaction: unknown) => unknown) =>
        Promise.resolve(work({ row, operations: { record } })),
    } as unknown as TargetLedger,
  );
  const body = await service.reconcile(null, dryRun, by);
  return { settled, recorded, body, most };
}

beforeAll(() => void Logger.overrideLogger(false));

describe('reconciling what Python programs hold and the ledger has no row for', () => {
  const held = (count: number): LedgerMount[] =>
    Array.from({ length: count }, (_, n) => ({ ...HELD, targetId: `t${n}` }));
  const stranger = { mount_path: '/base/x', source: 'x', fstype: 'fuse.s3vaultfuse', mnt_id: 9 };

  it('settles it', async () => {
    const { settled, body } = await reconciled(held(2));
    expect(settled).toEqual(['t0', 't1']);
    expect(body.differences).toMatchObject([
      { kind: 'held_without_mount', outcome: 'repaired', state_after: 'ABSENT' },
      { kind: 'held_without_mount', outcome: 'repaired', state_after: 'ABSENT' },
    ]);
    expect(body.success_msg).toBe('1 of 1 node(s) compared, 2 difference(s)');
  });

  it('tells it only, in a dry run, by itself, and where a stranger may be what is held', async () => {
    for (const { settled, body } of [
      await reconciled(held(1), { dryRun: true }),
      await reconciled(held(1), { by: 'service' }),
      await reconciled(held(1), { seen: { ...NOTHING, foreign: [stranger] } }),
    ]) {
      expect(settled).toEqual([]);
      expect(body.differences[0]).toMatchObject({ kind: 'held_without_mount', outcome: 'reported' });
    }
  });

  it('settles so many at once, however many a node has', async () => {
    const { settled, most } = await reconciled(held(200));
    expect([settled.length, most]).toEqual([200, 64]);
  });

  it('says that there may be more where it has as many as it looks at', async () => {
    const { body } = await reconciled(held(UNWRITTEN_LIMIT));
    expect(body.success_msg).toContain('there may be more');
  });
});

describe('reconciling a mount that nobody holds', () => {
  const mount = { backup_target_id: 't', state: 'mounted', layers: 1, mount_path: '/base/t', mnt_id: 7 };
  const seen: Inventory = { ...NOTHING, mounts: [mount as MountObservation] };
  const problem = 'PID 4711 (bash) uses it';
  const busy = { ...ABSENT, state: 'MOUNTED', errorCode: 'BUSY', errorMessage: problem };

  it('records that it cannot be taken away yet, and why', async () => {
    const { settled, recorded, body } = await reconciled([], { seen, atRest: false, row: busy });
    expect(settled).toEqual(['t']);
    expect(body.differences).toMatchObject([{ kind: 'not_in_ledger', outcome: 'open' }]);
    expect(recorded).toMatchObject([
      { status: 'error', errorCode: 'BUSY', errorMessage: expect.stringContaining(problem) as string },
    ]);
  });

  it('tells it from then on, leaves it to the further attempts, and records no more', async () => {
    const row: LedgerMount = { ...HELD, targetId: 't', state: 'MOUNTED', held: 0, unheld: true, problem };
    for (const dryRun of [true, false]) {
      const { settled, recorded, body } = await reconciled([row], { seen, dryRun });
      expect(body.differences).toMatchObject([
        { kind: 'mount_without_binding', outcome: dryRun ? 'reported' : 'open', problem },
      ]);
      expect([settled, recorded]).toEqual([[], []]);
    }
  });

  it('records nothing of what is open as it was', async () => {
    const row: LedgerMount = { ...HELD, targetId: 't', state: 'STUCK', held: 0, unheld: true };
    const unknown = { ...NOTHING, mounts: [{ ...mount, state: 'unknown' } as MountObservation] };
    const { recorded, body } = await reconciled([row], {
      seen: unknown,
      atRest: false,
      row: { ...busy, state: 'STUCK' },
    });
    expect(body.differences).toMatchObject([{ kind: 'uncertain', outcome: 'open' }]);
    expect(recorded).toEqual([]);
  });
});
