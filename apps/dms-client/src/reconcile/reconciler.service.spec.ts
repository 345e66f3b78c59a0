import { Logger } from '@nestjs/common';
import { type Inventory } from '@app/contracts';
import { type TargetLedger } from '../ledger/target-ledger';
import { type TargetCoordinator } from '../mounts/target-coordinator.service';
import { type LedgerMount, type NodeFactsRepository, UNWRITTEN_LIMIT } from '../nodes/node-facts.repository';
import { type NodeLooksService } from '../nodes/node-looks.service';
import { type NodeLeaseRepository } from './node-lease.repository';
import { ReconcilerService } from './reconciler.service';

const HELD = { state: null, epoch: 0, mountPath: null, mntId: null, incarnation: null, held: 1 };

/** Reconciles a node with these mounts in the ledger; tells what was answered, and which targets were settled. */
async function reconciled(mounts: LedgerMount[], foreign: Inventory['foreign'], dryRun = false) {
  const settled: string[] = [];
  const row = { state: 'ABSENT', leased: false, mountPath: null, epoch: 1 };
  const record = (): Promise<void> => Promise.resolve();
  const service = new ReconcilerService(
    {
      hosts: () => Promise.resolve(['h']),
      run: <T>(_: string, work: () => Promise<T>) => work(),
    } as unknown as NodeLeaseRepository,
    {
      mounts: () => Promise.resolve(new Map(mounts.map((mount) => [mount.targetId, mount]))),
    } as unknown as NodeFactsRepository,
    {
      inventory: () => Promise.resolve({ incarnation: 'i', seen: { mounts: [], foreign, processes: [] } }),
    } as unknown as NodeLooksService,
    {
      settle: ({ targetId }: { targetId: string }) => Promise.resolve(settled.push(targetId) > 0),
    } as unknown as TargetCoordinator,
    {
      transaction: (_: unknown, work: (transaction: unknown) => unknown) =>
        Promise.resolve(work({ row, operations: { record } })),
    } as unknown as TargetLedger,
  );
  return { settled, body: await service.reconcile(null, dryRun) };
}

describe('reconciling what Python programs hold and the ledger has no row for', () => {
  beforeAll(() => void Logger.overrideLogger(false));

  const held = (count: number): LedgerMount[] =>
    Array.from({ length: count }, (_, n) => ({ ...HELD, targetId: `t${n}` }));
  const stranger = { mount_path: '/base/x', source: 'x', fstype: 'fuse.s3vaultfuse', mnt_id: 9 };

  it('settles it', async () => {
    const { settled, body } = await reconciled(held(2), []);
    expect(settled).toEqual(['t0', 't1']);
    expect(body.differences).toMatchObject([
      { kind: 'held_without_mount', outcome: 'repaired', state_after: 'ABSENT' },
      { kind: 'held_without_mount', outcome: 'repaired', state_after: 'ABSENT' },
    ]);
    expect(body.success_msg).toBe('1 of 1 node(s) compared, 2 difference(s)');
  });

  it('tells it only, in a dry run and where a stranger may be what is held', async () => {
    for (const { settled, body } of [
      await reconciled(held(1), [], true),
      await reconciled(held(1), [stranger]),
    ]) {
      expect(settled).toEqual([]);
      expect(body.differences[0]).toMatchObject({ kind: 'held_without_mount', outcome: 'reported' });
    }
  });

  it('says that there may be more where it has as many as it looks at', async () => {
    const { body } = await reconciled(held(UNWRITTEN_LIMIT), []);
    expect(body.success_msg).toContain('there may be more');
  });
});
