import { type Setting } from './rules';
import {
  Binding,
  Command,
  counted,
  JobPhase,
  Kernel,
  Lease,
  MountState,
  OperationStatus,
  peerMayHold,
  PeerRow,
  Phase,
  Reply,
  servesOthers,
  Sleep,
  type State,
} from './state';

/** After a break from outside, until all have heard of it: then no success is excused any more. */
export function endLag(s: State): void {
  if (!s.lag) return;
  const { row, kernel, instance, node } = s;
  const rowTells = row.state !== MountState.Mounted || (kernel === Kernel.Good && row.mountId === instance);
  const calm = s.workers.every(
    ({ reply, phase, heard }) =>
      reply === Reply.None && phase !== Phase.Answers && (heard === 0 || heard === node.incarnation),
  );
  // A claim that a look before the break made a success may still be read as one.
  if (rowTells && calm && node.progress === 0) s.lag = false;
}

/** What must hold in every state; null where it does. */
export function violationIn(s: State): string | null {
  const { row, kernel, instance } = s;
  for (const [index, { told, binding, phase, mount, sleep }] of s.jobs.entries()) {
    if (!told || sleep === Sleep.Deep) continue;
    const who = `job ${index + 1}, which was told success and never asked for the unmount,`;
    if (binding === Binding.None) return `I1: ${who} has no binding`;
    if (binding === Binding.Claimed && phase === JobPhase.Holds) return `I1: ${who} has only a claim`;
    const rowIsTrue = row.state === MountState.Mounted && kernel === Kernel.Good && row.mountId === instance;
    if (binding === Binding.Held && rowIsTrue && mount !== instance) {
      return `I1: ${who} is held on another mount than it was given: the break is hidden`;
    }
    if (binding === Binding.Lost && kernel === Kernel.Good && mount === instance) {
      return `I1: ${who} is told that it lost a mount that is good`;
    }
  }
  return null;
}

/** What must hold where only faults and new wishes could change anything; null where it does. */
export function violationAtRest(s: State, { lastEpoch }: Setting): string | null {
  // A run that used its epochs up was cut off by the model.
  if (s.row.epoch >= lastEpoch) return null;
  if (s.workers.some(({ phase }) => phase !== Phase.Idle)) return 'I3: a request waits for ever';
  const { row, kernel, node } = s;
  if (servesOthers(s)) {
    // What is open waits until the other ledger lets the node go; that a mount is gone is told all the same.
    const held = s.jobs.findIndex(({ binding }) => binding === Binding.Held);
    return held < 0 ? null : `I1: job ${held + 1} stays held on a node that serves another ledger`;
  }
  // Of such a target nothing is said before the node has ended: it is open, and stays so.
  if (node.childStuck) return null;
  // Of a peer that the ledger does not know nobody can say whether it has ended.
  const peerHolds = peerMayHold(s) && node.child === Command.None && kernel === Kernel.Good;
  if (counted(s) === 0 && kernel !== Kernel.Absent && !peerHolds) return 'I2: the mount stays, nobody counts';
  if (s.peerRow === PeerRow.Held && kernel !== Kernel.Good) {
    return 'I1: a Python peer stays held, its mount is gone or broken, and nobody noticed';
  }
  for (const [index, job] of s.jobs.entries()) {
    const who = `job ${index + 1}`;
    if (job.binding === Binding.Held && kernel !== Kernel.Good) {
      return `I1: ${who} stays held, its mount is gone or broken, and nobody noticed`;
    }
    if (job.binding === Binding.Claimed) return `I2: the claim of ${who} stays for ever`;
    if (job.binding === Binding.Held && job.phase === JobPhase.Done) {
      return `I2: ${who} has unmounted, and a binding is held for it`;
    }
    if (job.binding === Binding.Held && job.phase === JobPhase.Dead && job.lease !== Lease.None) {
      return `I2: ${who} is dead, and its leased binding stays`;
    }
  }
  const open = s.operations.findIndex(({ status }) => status === OperationStatus.Executing);
  if (open >= 0) return `I3: operation ${open + 1} never ends`;
  const settled =
    row.state === MountState.Absent ||
    row.state === MountState.Mounted ||
    (row.state === MountState.Broken && counted(s) > 0);
  return settled ? null : `I3: the row rests ${MountState[row.state].toUpperCase()}`;
}
