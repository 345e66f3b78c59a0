import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { defaultMountPath, DmsError } from '@app/contracts';
import { happened } from '@app/platform';
import { mayShare } from '../access/sharing';
import { isDuplicate } from '../ledger/ledger-errors';
import { type TargetRow, type TargetTransaction } from '../ledger/target-transaction';
import { LockService } from '../locks/lock.service';
import { MountReports } from '../nodes/mount-reports';
import { type NodeView } from '../nodes/node-views.service';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { CommandFactory, type Planned } from './command.factory';
import { conflictWith, pathTaken } from './compatibility';
import { type Drive } from './drive';
import { LeftoverOperations } from './leftover-operations';
import { type Step } from './step';
import { jobOf, projectOf, sourceOfRequest, type WaitingRequest, wantsReadOnly } from './waiting-request';

/**
 * Decides what is next for a target, in a transaction that holds its row: grants what can be granted, or takes an
 * epoch for one command. Whoever decides holds the lease.
 */
@Injectable()
export class DecisionService {
  readonly #log = new Logger(DecisionService.name);

  constructor(
    private readonly locks: LockService,
    private readonly commands: CommandFactory,
    private readonly leftovers: LeftoverOperations,
    private readonly reports: MountReports,
    @Inject(SETTINGS) private readonly settings: ClientSettings,
  ) {}

  /** The lease is taken if the drive does not have it (any more). Writes everything that the step needs. */
  async decide(transaction: TargetTransaction, drive: Drive, view: NodeView): Promise<Step> {
    if (drive.lease === null || !this.locks.holds(transaction, drive.lease)) {
      const place = (drive.place ??= this.locks.place());
      const acquisition = await this.locks.tryAcquire(transaction, place, drive.waits);
      if (acquisition.kind === 'taken') return { kind: 'locked', next: acquisition.next };
      drive.begin(acquisition.lease);
    }
    await this.#lookAgain(transaction, drive);
    if (drive.suspicious && drive.confirmedIncarnation === null)
      return this.#uncertain(transaction, drive, view);
    // Also where the node said in this drive that it stands: the report came since.
    if (this.#isReported(transaction)) return this.#uncertain(transaction, drive, view);
    switch (transaction.row.state) {
      case 'ABSENT':
        return this.#absent(transaction, drive, view);
      case 'MOUNTED':
        return this.#mounted(transaction, drive, view);
      case 'BROKEN':
        return this.#broken(transaction, drive, view);
      case 'MOUNTING':
      case 'UNMOUNTING':
      case 'UNCERTAIN':
      case 'STUCK':
        return this.#uncertain(transaction, drive, view);
    }
  }

  /** True if the node reported that the mount which the row takes for good vanished or broke. */
  #isReported({ key, row: { state, epoch, mntId } }: TargetTransaction): boolean {
    return state === 'MOUNTED' && this.reports.of(key, epoch, mntId) !== null;
  }

  /** A claim that its job has taken back meanwhile, or that a newer request replaced, is not carried out. */
  async #lookAgain(transaction: TargetTransaction, drive: Drive): Promise<void> {
    const { mounts } = drive;
    const bindings = await transaction.bindings.ofJobs(mounts.map(jobOf));
    const overtaken = mounts.filter((waiting) => {
      const binding = bindings.get(jobOf(waiting));
      return binding === undefined || binding.state === 'released' || binding.state === 'lost';
    });
    await drive.refuse(
      transaction,
      overtaken,
      new DmsError('CONFLICT', 'The job has lost its claim before it was mounted'),
    );
  }

  async #absent(transaction: TargetTransaction, drive: Drive, view: NodeView): Promise<Step> {
    const gone = drive.mounts.filter(({ caller }) => caller.aborted);
    await drive.refuse(transaction, gone, new DmsError('TIMEOUT', 'The caller hung up; nothing was mounted'));
    const [leader, ...others] = drive.mounts;
    if (leader === undefined) return this.#rest(transaction, drive);
    // Whoever waits in another process comes first; the mounts of this one wait behind.
    if (drive.hadItsTurn && (await this.locks.isWanted(transaction))) return this.#rest(transaction, drive);
    if (mustBeAsked(drive, view)) return this.#probe(transaction, drive, view);
    const followers = others.filter((waiting) => shares(leader, waiting));
    const operationId = leader.operationId;
    const mountPath = leader.mountPath ?? this.#defaultPath(transaction, view);
    try {
      await transaction.change({
        state: 'MOUNTING',
        epoch: transaction.row.epoch + 1,
        incarnation: view.incarnation,
        operationId,
        mountPath,
        source: sourceOfRequest(leader),
        type: leader.request.backup_target.type,
        readOnly: wantsReadOnly(leader),
        projectId: projectOf(leader),
        mntId: null,
        device: null,
        bootId: null,
        errorCode: null,
        errorMessage: null,
      });
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      await drive.refuse(transaction, [leader], pathTaken(mountPath ?? ''));
      return { kind: 'again', afterMs: 0 };
    }
    drive.participated([leader, ...followers]);
    return this.#send(
      transaction,
      this.commands.mount(transaction, view, operationId, [leader, ...followers]),
    );
  }

  /** Null where the node has not said its bases: it takes its own default then, and its answer tells the path. */
  #defaultPath({ key }: TargetTransaction, view: NodeView): string | null {
    const base = view.legacy ? this.settings.mountBase : view.bases.at(0);
    return base === undefined ? null : defaultMountPath(base, key.targetId);
  }

  async #mounted(transaction: TargetTransaction, drive: Drive, view: NodeView): Promise<Step> {
    const { row } = transaction;
    if (drive.mounts.length > 0) {
      if (!believed(row, drive, view)) {
        const sameMemory = view.incarnation === null || view.incarnation === row.incarnation;
        return sameMemory ? this.#probe(transaction, drive, view) : this.#uncertain(transaction, drive, view);
      }
      for (const waiting of drive.mounts) {
        const error = conflictWith(row, waiting);
        if (error !== null) await drive.refuse(transaction, [waiting], error);
      }
      await drive.grant(transaction, drive.mounts);
    }
    const counts = await transaction.bindings.count();
    const active = counts.claimed + counts.held;
    if (active > 0) {
      for (let n = 0; n < drive.unmounts.length; n += 1) happened({ what: 'unmount_skipped' });
      if (drive.unmounts.length > 0)
        this.#log.log({
          msg: `Multiple active mounts (${active}) detected. Skipping physical unmount`,
          ...transaction.key,
        });
      return this.#rest(transaction, drive);
    }
    // BUSY a moment ago: the unmounts are answered, and it is tried again later.
    if (drive.problem !== null) return this.#rest(transaction, drive);
    if (isOfOtherMemory(row, view)) return this.#uncertain(transaction, drive, view);
    this.#log.log({ msg: 'Single active mount detected. Sending unmount request', ...transaction.key });
    return this.#unmount(transaction, drive, view);
  }

  async #broken(transaction: TargetTransaction, drive: Drive, view: NodeView): Promise<Step> {
    const { held } = await transaction.bindings.count();
    if (held === 0 && drive.problem === null) {
      return isOfOtherMemory(transaction.row, view)
        ? this.#uncertain(transaction, drive, view)
        : this.#unmount(transaction, drive, view);
    }
    const why = held > 0 ? `${held} job(s) still hold it` : (drive.problem?.message ?? 'it is in use');
    await drive.refuse(
      transaction,
      drive.mounts,
      new DmsError('BUSY', `The former mount is broken and cannot be taken away yet: ${why}`),
    );
    return this.#rest(transaction, drive);
  }

  /** What is not known is fenced: the node's answer alone adopts or undoes. */
  async #uncertain(transaction: TargetTransaction, drive: Drive, view: NodeView): Promise<Step> {
    if (drive.problem !== null) return this.#rest(transaction, drive);
    if (view.legacy) return this.#settleLegacy(transaction, drive, view);
    if (mustBeAsked(drive, view)) return this.#probe(transaction, drive, view);
    const operationId = randomUUID();
    await transaction.change({ state: 'UNCERTAIN', epoch: transaction.row.epoch + 1, operationId });
    return this.#send(transaction, this.commands.look('fence', transaction, view, operationId, drive.mounts));
  }

  /** A Python server cannot be fenced: its mount and unmount can be repeated, and say what is. */
  async #settleLegacy(transaction: TargetTransaction, drive: Drive, view: NodeView): Promise<Step> {
    const [leader, ...others] = drive.mounts;
    if (leader === undefined) return this.#unmount(transaction, drive, view);
    await transaction.change({
      state: 'MOUNTING',
      epoch: transaction.row.epoch + 1,
      operationId: leader.operationId,
    });
    const followers = others.filter((waiting) => shares(leader, waiting));
    drive.participated([leader, ...followers]);
    return this.#send(
      transaction,
      this.commands.mount(transaction, view, leader.operationId, [leader, ...followers]),
    );
  }

  async #unmount(transaction: TargetTransaction, drive: Drive, view: NodeView): Promise<Step> {
    if (mustBeAsked(drive, view)) return this.#probe(transaction, drive, view);
    const operationId = drive.unmounts.at(0)?.operationId ?? randomUUID();
    await transaction.change({
      state: 'UNMOUNTING',
      epoch: transaction.row.epoch + 1,
      incarnation: view.incarnation,
      operationId,
    });
    const like = drive.unmounts.at(0)?.request ?? null;
    return this.#send(
      transaction,
      this.commands.unmount(transaction, view, operationId, like, drive.legacyEnded),
    );
  }

  /** Nothing was heard of the node yet, or not lately: a probe changes nothing, tells its incarnation, and whether it listens. */
  #probe(transaction: TargetTransaction, drive: Drive, view: NodeView): Promise<Step> {
    return this.#send(
      transaction,
      this.commands.look('probe', transaction, view, randomUUID(), drive.mounts),
    );
  }

  async #rest(transaction: TargetTransaction, drive: Drive): Promise<Step> {
    await drive.finishUnmounts(transaction);
    if (drive.sweeps) await this.leftovers.end(transaction);
    if (drive.lease !== null) await this.locks.release(transaction, drive.lease);
    drive.lease = null;
    return { kind: 'rest' };
  }

  async #send({ bindings }: TargetTransaction, planned: Planned): Promise<Step> {
    return { kind: 'command', command: { ...planned, pythonHolds: await bindings.pythonHolds() } };
  }
}

/** True if it is known that what the row says stands: by a hello just heard, or by what the node just said. */
function believed(row: TargetRow, drive: Drive, view: NodeView): boolean {
  if (view.legacy) return true;
  if (view.incarnation !== row.incarnation) return false;
  return (view.up && view.punctual) || drive.confirmedIncarnation === row.incarnation;
}

/**
 * True if the node has another memory than when it said what the row says. It may take the mount for somebody's, and leave
 * it alone: a fence has it remember the mount first.
 */
function isOfOtherMemory(row: TargetRow, view: NodeView): boolean {
  return !view.legacy && view.incarnation !== null && view.incarnation !== row.incarnation;
}

/**
 * True if a command would go out blind. The broker keeps the consumer of a node without power for two heartbeats: what is
 * sent to it may be carried out or not, while of a look that gets no answer it is known that nothing was done.
 */
function mustBeAsked(drive: Drive, view: NodeView): boolean {
  if (view.legacy) return false;
  return view.incarnation === null || !(view.punctual || drive.nodeAnswers);
}

/** True if both ask for the same mount, so that one command serves both. */
function shares(leader: WaitingRequest, other: WaitingRequest): boolean {
  return (
    mayShare(other.scope, projectOf(leader)) &&
    sourceOfRequest(leader) === sourceOfRequest(other) &&
    wantsReadOnly(leader) === wantsReadOnly(other) &&
    (other.mountPath === null || other.mountPath === leader.mountPath)
  );
}
