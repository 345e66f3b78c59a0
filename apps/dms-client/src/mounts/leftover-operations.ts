import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { ABANDONED_AFTER_MS } from '../ledger/executing-operations';
import { type AbandonedOperation, type OperationEnd } from '../ledger/operation-statements';
import { type TargetTransaction } from '../ledger/target-transaction';
import { endedBadly, WITHDRAWN } from './responses';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';

/** Ends the operations that processes left open which are gone, or whose callers were told that the outcome is unknown. */
@Injectable()
export class LeftoverOperations {
  readonly #log = new Logger(LeftoverOperations.name);

  constructor(@Inject(SETTINGS) private readonly settings: ClientSettings) {}

  /** The row must be settled. A mount's operation is ended from its binding, an unmount's as what it is: released. */
  async end(transaction: TargetTransaction): Promise<void> {
    const { row, operations, bindings } = transaction;
    if (row.state !== 'ABSENT' && row.state !== 'MOUNTED' && row.state !== 'BROKEN') return;
    for (const operation of await operations.abandoned(ABANDONED_AFTER_MS)) {
      const succeeded = hasSucceeded(operation, row.state);
      if (!succeeded) await bindings.withdraw([{ jobid: operation.jobid ?? 0, operationId: operation.id }]);
      await operations.end(endOf(operation, transaction, succeeded), operation);
      this.#log.log({
        msg: 'An operation that was left open was ended',
        operation_id: operation.id,
        succeeded,
      });
    }
    await bindings.withdrawUnanswered(this.settings.claimTtlMs);
  }
}

function hasSucceeded({ action, bindingState }: AbandonedOperation, state: string): boolean {
  if (action !== 'mount') return true;
  return state === 'MOUNTED' && (bindingState === 'claimed' || bindingState === 'held');
}

function endOf(operation: AbandonedOperation, { row }: TargetTransaction, succeeded: boolean): OperationEnd {
  const error = whyNot(operation);
  const dirty = operation.action === 'unmount' ? endedBadly(row) : null;
  return {
    id: operation.id,
    status: succeeded ? 'success' : 'error',
    errorCode: succeeded ? (dirty?.code ?? null) : error.code,
    errorMessage: succeeded ? null : error.message,
    successMessage: succeeded ? successText(operation, row.mountPath, dirty?.message) : null,
    mountPath: row.mountPath,
    epoch: row.epoch,
    responseData: null,
  };
}

/** The node may have had no part in it: what failed is the way there or back, and that passes. */
function whyNot({ bindingState }: AbandonedOperation): DmsError {
  if (bindingState === 'released') return new DmsError('CONFLICT', WITHDRAWN);
  const text =
    'The mount was not carried out: the node, the broker or dms-client went away meanwhile. Nothing is mounted for this request; ask again';
  return new DmsError('NODE_UNREACHABLE', text);
}

function successText({ action }: AbandonedOperation, path: string | null, loss?: string): string {
  if (action === 'mount') return `Mounted at ${path}, found out after the answer was lost`;
  return `Released; the mount was at ${path}${loss === undefined ? '' : `, and did not go cleanly: ${loss}`}`;
}
