import { hostProblem, identifierProblem } from '../rules/identifiers';
import { mountPathProblem } from '../rules/mount-path';

export const NODE_EVENT_KINDS = ['vanished', 'broken', 'mounted', 'unmounted'] as const;

/**
 * - `vanished`: the mount is not in the mount table any more, or another one stands in its place;
 * - `broken`: its FUSE daemon has ended, or another layer was put on top of it;
 * - `mounted`, `unmounted`: a command did that.
 */
export type NodeEventKind = (typeof NODE_EVENT_KINDS)[number];

/**
 * What a node saw happen to a mount. It is a hint that may be late or lost: it counts only where incarnation, epoch and
 * mount id are those of the ledger, and then it only has the node asked.
 */
export interface NodeEvent {
  readonly event: NodeEventKind;
  readonly node: string;
  readonly incarnation: string;
  /** The last one that the target was fenced or commanded with. */
  readonly epoch: number;
  /** Id of the mount that it happened to: the one in the node's mount table when it was made. */
  readonly mnt_id: number;
  readonly backup_target_id: string;
  readonly mount_path: string;
  /** ISO 8601, UTC, by the node's clock. */
  readonly at: string;
}

/** What a hello says of a mount that its node sees vanished or broken: the event, without what the hello says anyway. */
export type TroubledMount = Pick<NodeEvent, 'epoch' | 'mnt_id' | 'backup_target_id' | 'mount_path' | 'at'> & {
  readonly event: 'vanished' | 'broken';
};

/** A hello names no more of them. */
export const MAX_TROUBLED_MOUNTS = 100;

/** ISO 8601 with a time and its zone. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** True for a time as events have it. */
export function isTime(value: unknown): value is string {
  return typeof value === 'string' && TIME.test(value);
}

/** `value` as an event of a node, or null where it is none. Fields that this version does not know are left out. */
export function asNodeEvent(value: unknown): NodeEvent | null {
  if (typeof value !== 'object' || value === null) return null;
  const { event, node, incarnation, epoch, mnt_id, backup_target_id, mount_path, at } =
    value as Partial<NodeEvent>;
  const kind = NODE_EVENT_KINDS.find((known) => known === event);
  const problems = [
    hostProblem(node),
    identifierProblem(incarnation),
    identifierProblem(backup_target_id),
    mountPathProblem(mount_path),
  ];
  if (kind === undefined || problems.some((problem) => problem !== null)) return null;
  if (!isTime(at) || !isCount(epoch) || !isCount(mnt_id)) return null;
  // The order is that of the wire.
  const found = { event: kind, node, incarnation, epoch, mnt_id, backup_target_id, mount_path, at };
  return found as NodeEvent;
}

/** The well-formed ones of `value`, MAX_TROUBLED_MOUNTS at most. */
export function asTroubledMounts(value: unknown): TroubledMount[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_TROUBLED_MOUNTS).flatMap((item: unknown) => {
    if (typeof item !== 'object' || item === null) return [];
    // Its node and incarnation are those of the hello.
    const event = asNodeEvent({ ...item, node: 'node', incarnation: 'incarnation' });
    if (event === null || (event.event !== 'vanished' && event.event !== 'broken')) return [];
    const { event: kind, epoch, mnt_id, backup_target_id, mount_path, at } = event;
    return [{ event: kind, epoch, mnt_id, backup_target_id, mount_path, at }];
  });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
