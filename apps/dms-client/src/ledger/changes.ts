import { type OperationBriefDto, type StateEventKind } from '@app/contracts';
import { type TargetRow } from './target-transaction';

/** Something that a committed transaction did and that users are told of. */
export interface Change {
  readonly kind: StateEventKind;
  /** The jobs that it concerns. */
  readonly jobids: readonly number[];
  readonly operation: OperationBriefDto | null;
}

/** All that one committed transaction did to a target, and what its row says since. */
export interface CommittedChanges {
  readonly epoch: number;
  readonly mountPath: string | null;
  readonly changes: readonly Change[];
}

/** Gathers what the statements of one transaction did, in their order. */
export class ChangeList {
  readonly #changes: (Omit<Change, 'jobids'> & { readonly jobids: readonly number[] | null })[] = [];

  /** @param holders reads the jobs that have claimed or hold the target */
  async complete(holders: () => Promise<number[]>): Promise<Change[]> {
    if (this.#changes.every(({ jobids }) => jobids !== null)) return this.#changes as Change[];
    const lost = this.#changes.filter(({ kind }) => kind === 'lost').flatMap(({ jobids }) => jobids ?? []);
    const concerned = [...new Set([...lost, ...(await holders())])];
    return this.#changes.map((change) => ({ ...change, jobids: change.jobids ?? concerned }));
  }

  /** The jobs that this concerns are those that hold the mount, or lost it, when the transaction ends. */
  mount(kind: StateEventKind | null): void {
    if (kind !== null) this.#changes.push({ kind, jobids: null, operation: null });
  }

  jobs(kind: 'lost' | 'released', jobids: readonly number[]): void {
    if (jobids.length > 0) this.#changes.push({ kind, jobids, operation: null });
  }

  operation(operation: OperationBriefDto, jobid: number | null): void {
    const isOpen = operation.status === 'pending' || operation.status === 'executing';
    const kind = isOpen ? 'operation_begun' : 'operation_ended';
    this.#changes.push({ kind, jobids: jobid === null ? [] : [Number(jobid)], operation });
  }
}

/**
 * What happened to the physical mount between two writings of its row, or null. A row that names a mount id has been
 * MOUNTED: where it was in doubt and is MOUNTED again with the same id, that mount was found to be good.
 */
export function mountChange(before: TargetRow, after: TargetRow): StateEventKind | null {
  const stoodBefore = before.mntId !== null;
  if (stoodBefore && isSilent(after) && !isSilent(before)) return 'doubtful';
  if (before.state === after.state) return null;
  switch (after.state) {
    case 'MOUNTED':
      if (before.state === 'UNMOUNTING') return null;
      return stoodBefore && before.mntId === after.mntId ? 'healed' : 'mounted';
    case 'BROKEN':
      return before.state === 'UNMOUNTING' ? null : 'broken';
    case 'ABSENT':
      return before.state === 'UNMOUNTING' || stoodBefore ? 'unmounted' : null;
    case 'MOUNTING':
    case 'UNMOUNTING':
    case 'UNCERTAIN':
    case 'STUCK':
      return null;
  }
}

/** The node was asked and could not say what is: a server that gives no answer, or a process that does not end. */
function isSilent({ state, errorCode }: TargetRow): boolean {
  return (state === 'UNCERTAIN' || state === 'STUCK') && errorCode === 'TIMEOUT';
}
