import { type ErrorCode } from '../errors/error-codes';
import { type MountState } from './ledger.dto';
import { NodeDifferenceDto } from './live.dto';
import { OutcomeDto } from './target-response.dto';

export const RECONCILE_OUTCOMES = ['reported', 'repaired', 'open', 'skipped'] as const;

/**
 * - `reported`: nothing was to be done (a dry run, or a stranger's mount, which is never touched);
 * - `repaired`: the node was fenced, and the ledger says now what its answer said;
 * - `open`: it could not be settled yet, and is tried again;
 * - `skipped`: another process works on the target.
 */
export type ReconcileOutcome = (typeof RECONCILE_OUTCOMES)[number];

/** A difference between ledger and kernel, and what was done about it. */
export class ReconciledDifferenceDto extends NodeDifferenceDto {
  host: string;
  outcome: ReconcileOutcome;
  /** State of the mount in the ledger afterwards. */
  state_after: MountState | null;
}

/** A node that could not be compared. */
export class UnreconciledNodeDto {
  host: string;
  error_code: ErrorCode;
  error_msg: string;
}

/** A node that no comparison can be made of, however often it is tried. */
export class IncomparableNodeDto {
  host: string;
  /** Why, in a sentence. */
  reason: string;
}

export class ReconcileResponseDto extends OutcomeDto {
  dry_run: boolean;
  hosts: string[];
  differences: ReconciledDifferenceDto[];
  unreachable: UnreconciledNodeDto[];
  /** Missing in answers of older versions. */
  not_compared?: IncomparableNodeDto[];
}
