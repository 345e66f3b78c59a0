import { type LegacyReply, type NodeReply } from '@app/contracts';
import { type CommandResult } from './command-result';

/** Who answers. */
export interface Answerer {
  readonly node: string;
  readonly incarnation: string;
  readonly bootId: string;
}

/**
 * The body of a reply. A Python program gets its three keys, in their order, and nothing else; a sender of ours all of
 * them, those three first.
 */
export function encodeReply(result: CommandResult, extended: boolean, answerer: Answerer): Buffer {
  const legacy: LegacyReply = {
    status: result.status,
    error_msg: result.error_msg,
    success_msg: result.success_msg,
  };
  return Buffer.from(JSON.stringify(extended ? extendedReply(legacy, result, answerer) : legacy));
}

function extendedReply(legacy: LegacyReply, result: CommandResult, answerer: Answerer): NodeReply {
  return {
    ...legacy,
    error_code: result.error_code,
    mount_path: result.mountPath,
    epoch: result.epoch,
    incarnation: answerer.incarnation,
    boot_id: answerer.bootId,
    node: answerer.node,
    mount: result.mount,
    acted: result.acted,
    ...(result.inventory === undefined ? {} : { inventory: result.inventory }),
    ...(typeof result.ledger === 'string' ? { ledger: result.ledger } : {}),
    ...(result.legacyHolders === undefined ? {} : { legacy_holders: result.legacyHolders }),
  };
}
