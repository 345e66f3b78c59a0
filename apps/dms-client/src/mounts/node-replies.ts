import { DmsError, type MountObservation, type MountState, type NodeReply } from '@app/contracts';
import { notFlushed, type UnmountResult } from './responses';
import { type RowChange, type TargetRow } from '../ledger/target-transaction';

/** All is well, as the row keeps it. */
export const NO_PROBLEM: RowChange = { errorCode: null, errorMessage: null };

/**
 * Refused before anything was done, or failed with nothing mounted and no child left that could still mount.
 *
 * A refusal is final only if the command is not obeyed when it is delivered again. A node that could not remember the
 * epoch says so by a lower one. CONFLICT is of a node that serves another ledger, which takes a new incarnation before
 * it obeys ours; without an epoch, the command itself was not good.
 *
 * @param taken the epoch of the command
 */
export function isFinal({ acted, mount, error_code, epoch }: NodeReply, taken: number): boolean {
  if (!acted) return error_code === 'CONFLICT' || epoch === null || epoch >= taken;
  // The node does not know what it did, and only looked: that settles a fence, never a mount.
  if (error_code === 'TIMEOUT') return false;
  return mount !== null && mount.state === 'absent' && !mount.mounted && mount.children_left === 0;
}

/** What is known to stand after an unmount that did not take the mount away. */
export function stateAfterFailedUnmount({ mount }: NodeReply, error: DmsError): MountState {
  if (mount?.state === 'mounted' && error.code === 'BUSY') return 'MOUNTED';
  if (mount?.state === 'broken') return 'BROKEN';
  return mount?.state === 'unknown' ? 'STUCK' : 'UNCERTAIN';
}

/** What the node gave as its reason. `otherwise`: the code where it gave none. */
export function errorOf(reply: NodeReply, otherwise: DmsError['code']): DmsError {
  const users = reply.mount?.users ?? [];
  return new DmsError(reply.error_code ?? otherwise, reply.error_msg ?? 'the node gave no reason', {
    ...(users.length > 0 ? { details: { users } } : {}),
  });
}

const NOT_CLEANLY = /, but not cleanly: (.+)$/s;

/** What the node says of a mount that is gone and was not flushed, in its own words; null: it says nothing of that. */
export function flushProblemOf({ error_code, mount, success_msg }: NodeReply): UnmountResult['problem'] {
  if (error_code !== 'UNMOUNTED_DIRTY' && mount?.flush_verified !== false) return null;
  // Older nodes say it in their sentence alone.
  return notFlushed(mount?.flush_problem ?? NOT_CLEANLY.exec(success_msg ?? '')?.[1] ?? null);
}

/** An error as the row keeps it. */
export function problemOf(error: DmsError): RowChange {
  return { errorCode: error.code, errorMessage: error.message };
}

/** The mount as the node sees it. */
export function seen(reply: NodeReply, mount: MountObservation): RowChange {
  return {
    incarnation: reply.incarnation,
    bootId: reply.boot_id,
    mntId: mount.mnt_id,
    device: mount.device,
    ...(mount.mount_path === null ? {} : { mountPath: mount.mount_path }),
    ...(mount.source === null ? {} : { source: mount.source }),
    ...(mount.type === null ? {} : { type: mount.type }),
    ...(mount.read_only === null ? {} : { readOnly: mount.read_only }),
  };
}

/** Mount ids and device numbers are used again, after a reboot from the beginning. */
export function isSameMount(
  row: TargetRow,
  { boot_id }: NodeReply,
  { mnt_id, device }: MountObservation,
): boolean {
  if (row.mntId === null) return true; // a Python server's, of which nothing is known
  const sameBoot = row.bootId === null || boot_id === null || row.bootId === boot_id;
  const sameDevice = row.device === null || row.device === device;
  return sameBoot && sameDevice && row.mntId === mnt_id;
}

/** The node sees no mount. */
export function nothing(reply: NodeReply): RowChange {
  return { incarnation: reply.incarnation, mntId: null, device: null, bootId: null };
}
