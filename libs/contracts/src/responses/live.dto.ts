import { type ErrorCode } from '../errors/error-codes';
import { type MountObservationState } from '../wire/observation';
import { type InventoryDto } from './inventory.dto';
import { BindingDto, type MountState, NodeDto } from './ledger.dto';
import { OutcomeDto } from './target-response.dto';

/** What the node sees of a binding's mount, asked a moment ago. */
export class VerifiedMountDto {
  /** `unknown` where the node did not answer, or cannot say yet. */
  state: MountObservationState;
  mount_path: string | null;
  mnt_id: number | null;
  /** `major:minor` of the mounted device. */
  device: string | null;
  read_only: boolean | null;
  /** The node sees what the ledger says; null where it could not be asked. */
  agrees: boolean | null;
  /** Why the node could not be asked. */
  error_code: ErrorCode | null;
  /** The same in words, and why it cannot say. */
  error_msg: string | null;
}

/** A binding, and where it was asked for what its node sees. */
export class BindingStatusDto extends BindingDto {
  verified?: VerifiedMountDto;
}

/** A binding was taken out of the lists; its operations stay. */
export class DeleteBindingResponseDto extends OutcomeDto {
  declare status: 'success';
  jobid: number;
  backup_target_id: string;
  host: string;
}

export const NODE_DIFFERENCES = [
  'not_mounted',
  'broken',
  'other_mount',
  'other_memory',
  'stacked',
  'held_without_mount',
  'not_in_ledger',
  'ahead_of_ledger',
  'mount_without_binding',
  'foreign',
  'uncertain',
] as const;
/**
 * - `not_mounted`: mounted by the ledger, and the node does not see it;
 * - `broken`: mounted by the ledger, and dead on the node;
 * - `other_mount`: mounted by both, but not at the same path, or not the same mount: a stranger's, say;
 * - `other_memory`: mounted by the ledger, for a memory that the node has no more: it was rebooted, or lost its run
 *   directory;
 * - `stacked`: several layers at the path;
 * - `held_without_mount`: jobs hold the target, and the ledger itself says that it is not mounted, or dead; or it says
 *   nothing, for only a Python program has written the hold, and the node does not see it mounted;
 * - `not_in_ledger`: the node has a mount of ours that the ledger does not know as mounted;
 * - `ahead_of_ledger`: the node has a mount of a later command than the ledger knows: the ledger was restored from a backup,
 *   or lost commits. Jobs may hold the mount, so the service leaves it alone until a person has reconciled;
 * - `mount_without_binding`: by both it is mounted, or being unmounted, and no job holds it or asks for anything: it is
 *   being taken away, over and over where somebody uses it;
 * - `foreign`: a stranger's mount below one of the node's bases;
 * - `uncertain`: the node cannot say yet what stands.
 */
export type NodeDifferenceKind = (typeof NODE_DIFFERENCES)[number];

/** One difference between what the ledger says and what the node sees. */
export class NodeDifferenceDto {
  kind: NodeDifferenceKind;
  /** Null for a stranger's mount. */
  backup_target_id: string | null;
  mount_path: string | null;
  /** Null where the ledger does not know the target on this host. */
  ledger_state: MountState | null;
  /** Null where the node did not speak of the target; `foreign` also where a stranger's mount may be what jobs hold. */
  node_state: MountObservationState | null;
  /** Why a `mount_without_binding` has not gone yet, with the processes that use it; null: it is not known, or another kind. */
  problem: string | null;
}

/** A node, with what it says of itself now. */
export class NodeDetailDto extends NodeDto {
  /** Null where the node did not answer. */
  inventory: InventoryDto | null;
  /** Null where the node did not answer. They are only a hint: what changes at the moment is left out. */
  differences: NodeDifferenceDto[] | null;
  /** Why there is no inventory. */
  error_code: ErrorCode | null;
  error_msg: string | null;
}
