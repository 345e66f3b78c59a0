import { type ErrorCode, isErrorCode } from '../errors/error-codes';
import { asInventory, type Inventory } from './inventory';
import { isObservation, type MountObservation } from './observation';

/** The reply that every program of the Python system knows: exactly these keys, in this order. */
export interface LegacyReply {
  readonly status: 'success' | 'error';
  readonly error_msg: string | null;
  readonly success_msg: string | null;
}

/** A mount that a node carried out for a program that sends no epochs, and which has not sent the unmount. */
export interface LegacyHolderView {
  /** By which a command's `legacy_ended` names it. */
  readonly id: string;
  /** Null where the program did not say. */
  readonly jobid: number | null;
  /** Milliseconds since the mount was done. */
  readonly age_ms: number;
}

/** What this project adds to a reply, behind the three keys, where the request carried `dms`. */
export interface NodeReply extends LegacyReply {
  readonly error_code: ErrorCode | null;
  readonly mount_path: string | null;
  readonly epoch: number | null;
  readonly incarnation: string;
  /** The boot of the node: mount ids begin anew with each. Null: the node did not say. */
  readonly boot_id: string | null;
  readonly node: string;
  readonly mount: MountObservation | null;
  /** False where the command was refused before anything was done. */
  readonly acted: boolean;
  /** Answer to `inventory` only. */
  readonly inventory?: Inventory;
  /** The ledger of which the node has something mounted: in an inventory, and where another one's command is refused. */
  readonly ledger?: string;
  /** Where an unmount is refused for their sake. */
  readonly legacy_holders?: readonly LegacyHolderView[];
}

/** A reply as it came: one of ours, or of a Python server, which knows only the three keys. */
export type ParsedReply = { kind: 'node'; reply: NodeReply } | { kind: 'legacy'; reply: LegacyReply };

/**
 * `body` as a reply, or null where it is none (then nothing is known of what happened).
 * An error code that this version does not know is read as INTERNAL.
 */
export function parseReply(body: unknown): ParsedReply | null {
  if (typeof body !== 'object' || body === null) return null;
  const reply = body as Partial<NodeReply>;
  if (reply.status !== 'success' && reply.status !== 'error') return null;
  const legacy: LegacyReply = {
    status: reply.status,
    error_msg: text(reply.error_msg),
    success_msg: text(reply.success_msg),
  };
  if (typeof reply.node !== 'string' || typeof reply.incarnation !== 'string') {
    return { kind: 'legacy', reply: legacy };
  }
  const inventory = asInventory(reply.inventory);
  return {
    kind: 'node',
    reply: {
      ...legacy,
      error_code: errorCode(reply.status, reply.error_code),
      mount_path: text(reply.mount_path),
      epoch: Number.isInteger(reply.epoch) ? (reply.epoch as number) : null,
      incarnation: reply.incarnation,
      boot_id: text(reply.boot_id),
      node: reply.node,
      mount: isObservation(reply.mount) ? reply.mount : null,
      acted: reply.acted !== false,
      ...(inventory === null ? {} : { inventory }),
      ...(typeof reply.ledger === 'string' ? { ledger: reply.ledger } : {}),
      ...(areLegacyHolders(reply.legacy_holders) ? { legacy_holders: reply.legacy_holders } : {}),
    },
  };
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** A success may carry a code too: UNMOUNTED_DIRTY. */
function errorCode(status: LegacyReply['status'], value: unknown): ErrorCode | null {
  if (isErrorCode(value)) return value;
  return status === 'success' ? null : 'INTERNAL';
}

function areLegacyHolders(value: unknown): value is LegacyHolderView[] {
  return Array.isArray(value) && value.every(isLegacyHolder);
}

function isLegacyHolder(value: unknown): value is LegacyHolderView {
  if (typeof value !== 'object' || value === null) return false;
  const { id, jobid, age_ms } = value as Partial<LegacyHolderView>;
  const isJob = jobid === null || Number.isSafeInteger(jobid);
  return typeof id === 'string' && isJob && Number.isInteger(age_ms);
}
