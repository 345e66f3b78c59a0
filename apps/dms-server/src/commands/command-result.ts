import { type DmsError, type Inventory, type LegacyHolderView, type MountObservation } from '@app/contracts';
import { type RecordedOutcome } from '../fence/target-record';

/** How a command ended, before it becomes a reply on the wire. */
export interface CommandResult extends RecordedOutcome {
  readonly mountPath: string | null;
  /** The epoch under which it was taken; of a refused one, the one that the node remembers. */
  readonly epoch: number | null;
  readonly mount: MountObservation | null;
  /** False only where it is certain that nothing was begun. */
  readonly acted: boolean;
  readonly inventory?: Inventory;
  /** The ledger of which something is mounted here, where that is told. */
  readonly ledger?: string | null;
  /** The Python programs for whose sake an unmount was refused. */
  readonly legacyHolders?: readonly LegacyHolderView[];
}

/** A command that was refused before anything was done. */
export function refusal(error: DmsError): CommandResult {
  return { ...failure(error), acted: false };
}

/** An error of which it is not known whether something had been done by then. */
export function failure(error: DmsError): CommandResult {
  return {
    status: 'error',
    error_code: error.code,
    error_msg: error.message,
    success_msg: null,
    mountPath: null,
    epoch: null,
    mount: null,
    acted: true,
  };
}
