import { DmsError, type NodeReply, servesAnother } from '@app/contracts';

/** True if a node that has something mounted of the one ledger refuses the commands of the other. */
export function isOther(served: string | null | undefined, ours: string | null): served is string {
  return typeof served === 'string' && ours !== null && served !== ours;
}

/** Why nothing can be done on a node that serves another ledger. */
export function otherLedger(host: string, served: string, ours: string | null): DmsError {
  return new DmsError('CONFLICT', `Host "${host}": ${servesAnother(served, ours)}`);
}

/** True if the node has refused a command because it serves another ledger: nothing was done, nor will be. */
export function isRefusedForLedger({ acted, error_code, ledger }: NodeReply, ours: string | null): boolean {
  return !acted && error_code === 'CONFLICT' && isOther(ledger, ours);
}
