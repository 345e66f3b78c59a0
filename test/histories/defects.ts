import { DmsError } from '@app/contracts';
import { type SettlementService } from '../../apps/dms-client/src/mounts/settlement.service';
import { type LockService } from '../../apps/dms-client/src/locks/lock.service';
import { type NodeView } from '../../apps/dms-client/src/nodes/node-views.service';
import { type CommandOutcome } from '../../apps/dms-client/src/nodes/node-commands.service';
import { type NewBinding } from '../../apps/dms-client/src/ledger/binding-statements';
import { type FakeTransaction } from './fake-ledger';

/** Wrongs that can be built into a process, each of which takes one rule of the protocol out of the real services. */
export interface Defects {
  /** A transaction waits for something but the database. */
  slowTransaction?: boolean;
  /** A claim is written only when it is granted. */
  claimUnwritten?: boolean;
  /** A waiter does not look at its claim again. */
  claimUnseen?: boolean;
  /** A request is carried out although its job has asked for the opposite since. */
  overtakingUnseen?: boolean;
  /** A lease that another process holds is taken. */
  leaseIgnored?: boolean;
  /** A lease is not renewed while a command runs. */
  renewalMissing?: boolean;
  /** What a command came to is written although another process has decided since. */
  writesUnchecked?: boolean;
  /** A mount of another memory of the node is believed. */
  memoryUnchecked?: boolean;
  /** A node that is not heard is believed. */
  silenceBelieved?: boolean;
  /** Success is answered without a last look. */
  answerUnchecked?: boolean;
  /** The incarnation of a command is that of the moment at which it is sent. */
  incarnationAtSending?: boolean;
  /** What is uncertain is settled by a look beside the queue. */
  looksInsteadOfFences?: boolean;
  /** A ledger that is behind does not take the node's epoch. */
  staleUnsettled?: boolean;
  /** A time-out is taken for "failed, so absent". */
  unknownIsFinal?: boolean;
  /** A mount id is believed to be the same mount's after a reboot, too. */
  bootUnchecked?: boolean;
  /** UNMOUNTING is not written before the unmount is sent. */
  unmountingUnwritten?: boolean;
  /** A mount that could not be taken away is taken for a good one. */
  busyIsGood?: boolean;
  /** After an unmount that was not delivered the mount is taken for a good one. */
  undeliveredIsGood?: boolean;
  /** What a fence finds gone is not told to the holders. */
  lossUntold?: boolean;
  /** A transaction that decides does not write the target's row. */
  rowUnwritten?: boolean;
  /** A transaction that the database rolled back at its COMMIT is taken for one whose outcome is unknown. */
  rollbackUnknown?: boolean;
  /** Whether a lease has run out is decided by the clock of the database. */
  leaseByClock?: boolean;
  /** Operations that were left open are let be. */
  leftoversUnended?: boolean;
}

/** Spoils one transaction. */
export function spoilTransaction(
  of: FakeTransaction,
  defects: Defects,
  lastSent: Sent | null,
): FakeTransaction {
  const { bindings, operations } = of;
  if (defects.unmountingUnwritten) {
    const change = of.change.bind(of);
    of.change = ({ state, ...others }) => change(state === 'UNMOUNTING' ? others : { state, ...others });
  }
  if (defects.claimUnwritten) {
    bindings.claim = () => Promise.resolve();
    const hold = bindings.hold.bind(bindings);
    bindings.grant = (jobids) => hold(jobids.map((jobid) => ({ jobid, operationId: '' }) as NewBinding));
  }
  if (defects.claimUnwritten || defects.claimUnseen) {
    const ofJobs = bindings.ofJobs.bind(bindings);
    bindings.ofJobs = async (jobids) => {
      const rows = await ofJobs(jobids);
      const claimed = (jobid: number): [number, never] => [
        jobid,
        { id: jobid, jobid, operationId: null, ...rows.get(jobid), state: 'claimed' } as never,
      ];
      return new Map(jobids.filter((jobid) => defects.claimUnwritten || rows.has(jobid)).map(claimed));
    };
  }
  if (defects.overtakingUnseen) operations.ofJobsAfter = () => Promise.resolve([]);
  if (defects.lossUntold) bindings.lose = () => Promise.resolve([]);
  if (defects.writesUnchecked && lastSent !== null) Object.assign(of.draft.row, lastSent);
  return of;
}

/** Epoch and operation of a command that was sent. */
export interface Sent {
  readonly epoch: number;
  readonly operationId: string;
}

/** Spoils what a process believes of a node when a request comes in. */
export function spoilView(view: NodeView, defects: Defects, ofRow: string | null): NodeView {
  if (ofRow === null) return view;
  if (defects.memoryUnchecked) return { ...view, incarnation: ofRow };
  return defects.silenceBelieved ? { ...view, up: true, punctual: true, incarnation: ofRow } : view;
}

/** Spoils a command on its way to the node. */
export function spoilBody(
  body: Record<string, unknown>,
  defects: Defects,
  { incarnation }: NodeView,
): Record<string, unknown> {
  if (defects.looksInsteadOfFences && body.action === 'fence') return { ...body, action: 'probe' };
  if (defects.incarnationAtSending) return { ...body, dms: { ...(body.dms as object), incarnation } };
  return body;
}

/** Spoils what a node answered. */
export function spoilOutcome(
  outcome: CommandOutcome,
  { busyIsGood, staleUnsettled }: Defects,
): CommandOutcome {
  if (outcome.kind !== 'reply' || outcome.reply.kind !== 'node') return outcome;
  const { reply } = outcome.reply;
  const { error_code: code, mount } = reply;
  if (busyIsGood && code === 'BUSY' && mount !== null) {
    return {
      kind: 'reply',
      reply: { kind: 'node', reply: { ...reply, mount: { ...mount, state: 'mounted' } } },
    };
  }
  if (staleUnsettled && code === 'STALE_EPOCH') {
    return { kind: 'reply', reply: { kind: 'node', reply: { ...reply, epoch: 0, mount: null } } };
  }
  return outcome;
}

export function spoilLocks(locks: LockService, { leaseIgnored, writesUnchecked }: Defects): void {
  if (writesUnchecked) locks.holds = () => true;
  if (!leaseIgnored) return;
  const tryAcquire = locks.tryAcquire.bind(locks);
  locks.tryAcquire = (transaction, ...others) => {
    const row = { ...transaction.row, leased: false };
    return tryAcquire(
      new Proxy(transaction, { get: (of, name) => (name === 'row' ? row : bound(of, name)) }),
      ...others,
    );
  };
}

function bound(of: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(of, name);
  return typeof value === 'function' ? (value.bind(of) as unknown) : value;
}

export function spoilSettlements(settlements: SettlementService, defects: Defects): void {
  const settle = settlements.settle.bind(settlements);
  settlements.settle = async (transaction, drive, command, outcome) => {
    const error = new DmsError('NODE_UNREACHABLE', 'No answer came');
    const unknown = outcome.kind === 'unknown' && defects.unknownIsFinal;
    const told = defects.bootUnchecked ? withoutBoot(outcome) : outcome;
    await settle(transaction, drive, command, unknown ? { kind: 'unsent', error } : told);
    if (defects.undeliveredIsGood && outcome.kind === 'unsent' && command.action === 'unmount') {
      await transaction.change({ state: 'MOUNTED' });
    }
  };
}

function withoutBoot(outcome: CommandOutcome): CommandOutcome {
  if (outcome.kind !== 'reply' || outcome.reply.kind !== 'node') return outcome;
  return { kind: 'reply', reply: { kind: 'node', reply: { ...outcome.reply.reply, boot_id: null } } };
}
