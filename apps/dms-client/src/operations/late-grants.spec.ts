import { type BindingState, type MountState, type OperationDto } from '@app/contracts';
import { type DataSource } from 'typeorm';
import { type TargetLedger } from '../ledger/target-ledger';
import { LateGrantsService } from './late-grants.service';

const OPERATION = {
  id: 'o1',
  action: 'mount',
  status: 'success',
  jobid: 1,
  host: 'h',
  backup_target_id: 't',
} as OperationDto;

interface Ledger {
  /** A claim of the operation was seen without the lock. */
  readonly claimSeen: boolean;
  /** What stands under the lock. */
  readonly binding?: { readonly state: BindingState; readonly operationId: string };
  readonly row?: MountState;
}

async function grant(
  operation: OperationDto,
  { claimSeen, binding, row = 'MOUNTED' }: Ledger,
): Promise<number[]> {
  const granted: number[] = [];
  const transaction = {
    row: { state: row },
    bindings: {
      ofJobs: () => Promise.resolve(new Map(binding ? [[1, binding]] : [])),
      grant: (jobids: number[]) => Promise.resolve(granted.push(...jobids)),
    },
  };
  const ledger = { transaction: (_: unknown, work: (t: unknown) => unknown) => work(transaction) };
  const dataSource = { query: () => Promise.resolve(claimSeen ? [{ id: 1 }] : []) };
  await new LateGrantsService(ledger as unknown as TargetLedger, dataSource as unknown as DataSource).grant(
    operation,
  );
  return granted;
}

const CLAIMED = { state: 'claimed', operationId: 'o1' } as const;

describe('LateGrantsService', () => {
  it('makes the claim of a mount held that succeeded after its answer was lost', async () => {
    expect(await grant(OPERATION, { claimSeen: true, binding: CLAIMED })).toEqual([1]);
  });

  it('lets everything else be', async () => {
    expect(await grant(OPERATION, { claimSeen: false })).toEqual([]);
    const unmount = { ...OPERATION, action: 'unmount' } as const;
    expect(await grant(unmount, { claimSeen: true, binding: CLAIMED })).toEqual([]);
    const executing = { ...OPERATION, status: 'executing' } as const;
    expect(await grant(executing, { claimSeen: true, binding: CLAIMED })).toEqual([]);
    const newer = { ...CLAIMED, operationId: 'o2' };
    expect(await grant(OPERATION, { claimSeen: true, binding: newer })).toEqual([]);
    expect(await grant(OPERATION, { claimSeen: true })).toEqual([]);
  });

  it('does not tell of a success while the mount does not stand', async () => {
    const reading = grant(OPERATION, { claimSeen: true, binding: CLAIMED, row: 'UNCERTAIN' });
    await expect(reading).rejects.toMatchObject({ code: 'TIMEOUT', operationId: 'o1' });
  });
});
