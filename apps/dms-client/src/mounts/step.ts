import { type DmsError } from '@app/contracts';
import { type PythonHolds } from '../ledger/binding-statements';
import { type TargetResponse, type WaitingRequest } from './waiting-request';

/** A command for a node, as the commit that took its epoch fixed it. */
export interface Command {
  readonly action: 'mount' | 'unmount' | 'fence' | 'probe';
  readonly epoch: number;
  readonly operationId: string;
  readonly incarnation: string | null;
  readonly body: Record<string, unknown>;
  readonly deadlineMs: number;
  /** What Python programs held when it was decided. */
  readonly pythonHolds: PythonHolds;
  /** The mounts that share its outcome; the first one is whose token it carries. */
  readonly participants: readonly WaitingRequest[];
}

export interface Answer {
  readonly waiting: WaitingRequest;
  readonly result: { readonly response: TargetResponse } | { readonly error: DmsError };
}

/**
 * What a transaction decided.
 * - `locked`: another process has the lease, or others have waited for it longer;
 * - `command`: to be sent under the lease;
 * - `again`: decide anew, after that many milliseconds;
 * - `rest`: nothing is left that this process can do now; the lease was given back.
 */
export type Step =
  | { readonly kind: 'locked'; /** This process is the next to get it. */ readonly next: boolean }
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'again'; readonly afterMs: number }
  | { readonly kind: 'rest' };
