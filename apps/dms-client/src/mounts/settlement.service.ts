import { Injectable, Logger } from '@nestjs/common';
import { DmsError, type LegacyReply, type NodeReply } from '@app/contracts';
import { type TargetTransaction } from '../ledger/target-transaction';
import { type CommandOutcome } from '../nodes/node-commands.service';
import { isRefusedForLedger } from '../nodes/other-ledger';
import { type Drive } from './drive';
import { foundNothing, legacyError } from './legacy-errors';
import {
  errorOf,
  flushProblemOf,
  isFinal,
  isSameMount,
  NO_PROBLEM,
  nothing,
  problemOf,
  seen,
  stateAfterFailedUnmount,
} from './node-replies';
import { type Command } from './step';

const MAX_STALE_REPLIES = 5;

/**
 * Writes what a command came to, in a transaction that holds the row and has checked that lease, epoch and operation
 * are still those of the command. Only some answers are final; all else leaves the row UNCERTAIN, to be fenced.
 */
@Injectable()
export class SettlementService {
  readonly #log = new Logger(SettlementService.name);

  async settle(
    transaction: TargetTransaction,
    drive: Drive,
    command: Command,
    outcome: CommandOutcome,
  ): Promise<void> {
    drive.nodeAnswers = outcome.kind === 'reply';
    switch (outcome.kind) {
      case 'unsent':
        return this.#unsent(transaction, drive, command, outcome.error);
      case 'unknown':
        return this.#unknown(transaction, drive, command, outcome.reason);
      case 'reply':
        return outcome.reply.kind === 'node'
          ? this.#node(transaction, drive, command, outcome.reply.reply)
          : this.#legacy(transaction, drive, command, outcome.reply.reply);
    }
  }

  /** Nothing was done. A mount is final; an unmount and a fence leave open what stands. */
  async #unsent(
    transaction: TargetTransaction,
    drive: Drive,
    command: Command,
    error: DmsError,
  ): Promise<void> {
    if (command.action === 'mount') await transaction.change({ state: 'ABSENT', ...problemOf(error) });
    if (command.action === 'unmount') await transaction.change({ state: 'UNCERTAIN', ...problemOf(error) });
    drive.problem = { code: error.code, message: error.message };
    await drive.refuse(transaction, open(command), error);
  }

  async #unknown(
    transaction: TargetTransaction,
    drive: Drive,
    command: Command,
    reason: string,
  ): Promise<void> {
    const silence = `Node "${transaction.key.host}" does not answer (${reason})`;
    const error =
      command.action === 'probe'
        ? new DmsError('NODE_UNREACHABLE', silence)
        : new DmsError('TIMEOUT', `The outcome of the ${command.action} is unknown: ${reason}`);
    drive.problem = { code: error.code, message: error.message };
    if (command.action !== 'probe') await transaction.change({ state: 'UNCERTAIN', ...problemOf(error) });
    if (command.action === 'mount') drive.leaveOpen(open(command), error);
    else {
      const message = `${silence}; nothing was mounted for this request`;
      await drive.refuse(transaction, open(command), new DmsError('NODE_UNREACHABLE', message));
    }
  }

  async #node(
    transaction: TargetTransaction,
    drive: Drive,
    command: Command,
    reply: NodeReply,
  ): Promise<void> {
    if (reply.error_code === 'STALE_EPOCH') {
      // The side that is behind looks again: the next step fences with an epoch above the node's.
      const epoch = Math.max(transaction.row.epoch, reply.mount?.epoch ?? reply.epoch ?? 0);
      await transaction.change({ state: 'UNCERTAIN', epoch, incarnation: reply.incarnation });
      return this.#overtaken(transaction, drive, command);
    }
    if (command.action !== 'mount' && isRefusedForLedger(reply, transaction.row.ledger)) {
      return this.#foreign(transaction, drive, command, reply);
    }
    switch (command.action) {
      case 'mount':
        return this.#mountReply(transaction, drive, command, reply);
      case 'unmount':
        return this.#unmountReply(transaction, drive, reply);
      case 'fence':
        return this.#fenceReply(transaction, drive, command, reply);
      case 'probe':
        return probeReply(transaction, drive, command, reply);
    }
  }

  /** Being behind once is settled by a fence; a node that refuses every epoch has lost its run directory. */
  async #overtaken(transaction: TargetTransaction, drive: Drive, command: Command): Promise<void> {
    drive.staleReplies += 1;
    if (drive.staleReplies < MAX_STALE_REPLIES) return;
    const message = `Node "${transaction.key.host}" refuses every command as overtaken; see its log`;
    drive.problem = { code: 'NODE_UNREACHABLE', message };
    await drive.refuse(transaction, open(command), new DmsError('NODE_UNREACHABLE', message));
  }

  /**
   * The node serves another ledger. That settles nothing, for what was sent before the fence may act once the node is
   * free again; but a mount that was seen to be gone does not come back.
   */
  async #foreign(
    transaction: TargetTransaction,
    drive: Drive,
    command: Command,
    reply: NodeReply,
  ): Promise<void> {
    const { mount } = reply;
    const stands = mount?.state === 'mounted' && isSameMount(transaction.row, reply, mount);
    if (mount !== null && mount.state !== 'unknown' && !stands) await this.#lose(transaction, command);
    const error = errorOf(reply, 'CONFLICT');
    drive.problem = { code: error.code, message: error.message };
    await transaction.change({ state: 'UNCERTAIN', ...problemOf(error) });
    return drive.refuse(transaction, open(command), error);
  }

  async #mountReply(
    transaction: TargetTransaction,
    drive: Drive,
    command: Command,
    reply: NodeReply,
  ): Promise<void> {
    const { mount } = reply;
    if (reply.status === 'success' && mount?.state === 'mounted') {
      drive.confirmedIncarnation = reply.incarnation;
      return transaction.change({
        state: 'MOUNTED',
        ...seen(reply, mount),
        ...NO_PROBLEM,
      });
    }
    const error = errorOf(reply, 'MOUNT_FAILED');
    if (isFinal(reply, command.epoch)) {
      await transaction.change({ state: 'ABSENT', incarnation: reply.incarnation, ...problemOf(error) });
      return drive.refuse(transaction, sharersOf(error, command), error);
    }
    if (mount?.state === 'broken') {
      await transaction.change({ state: 'BROKEN', ...seen(reply, mount), ...problemOf(error) });
      return drive.refuse(transaction, open(command), error);
    }
    await transaction.change({ state: 'UNCERTAIN', ...problemOf(error) });
    if (!reply.acted && error.code === 'NODE_FULL') {
      // It did nothing, and could not write down that it refused: a fence follows once it can.
      drive.problem = { code: error.code, message: error.message };
      return drive.refuse(transaction, open(command), error);
    }
    drive.problem = { code: 'TIMEOUT', message: error.message };
    drive.leaveOpen(
      open(command),
      new DmsError('TIMEOUT', `The outcome of the mount is unknown: ${error.message}`),
    );
  }

  async #unmountReply(transaction: TargetTransaction, drive: Drive, reply: NodeReply): Promise<void> {
    const { mount } = reply;
    if (reply.status === 'success' && mount?.state !== 'mounted' && mount?.state !== 'unknown') {
      drive.problem = flushProblemOf(reply);
      drive.unmounted = true;
      return transaction.change({
        state: 'ABSENT',
        ...nothing(reply),
        errorCode: drive.problem?.code ?? null,
        errorMessage: drive.problem?.message ?? null,
      });
    }
    const error = errorOf(reply, 'UNMOUNT_FAILED');
    const state = stateAfterFailedUnmount(reply, error);
    if (await this.#haveEnded(transaction, drive, reply)) return transaction.change({ state, ...NO_PROBLEM });
    drive.problem = { code: error.code, message: error.message };
    await transaction.change({ state, ...problemOf(error) });
  }

  /**
   * True where nothing but holders without epochs kept the mount, and the ledger shows that all of them have ended
   * since: they left while others held, so that their programs wrote the ledger alone. The next unmount names them.
   */
  async #haveEnded(transaction: TargetTransaction, drive: Drive, reply: NodeReply): Promise<boolean> {
    const holders = reply.legacy_holders ?? [];
    if (holders.every(({ id }) => drive.legacyEnded.includes(id))) return false;
    const jobids = await transaction.bindings.endedSince(holders, transaction.clock.now);
    if (!holders.every(({ jobid }) => jobid !== null && jobids.includes(jobid))) return false;
    drive.legacyEnded = holders.map(({ id }) => id);
    this.#log.log({
      msg: 'Python jobs left by the ledger alone: the node is told',
      ...transaction.key,
      jobids,
    });
    return true;
  }

  /** The node's answer to a fence alone adopts or undoes. */
  async #fenceReply(
    transaction: TargetTransaction,
    drive: Drive,
    command: Command,
    reply: NodeReply,
  ): Promise<void> {
    const { mount } = reply;
    if (reply.status === 'error' || mount === null || mount.state === 'unknown') {
      const error = errorOf(reply, 'TIMEOUT');
      drive.problem = { code: 'TIMEOUT', message: error.message };
      const state = (await isBeingUnmounted(transaction)) ? 'STUCK' : 'UNCERTAIN';
      await transaction.change({ state, ...problemOf(error) });
      if (error.code === 'NODE_FULL') return drive.refuse(transaction, open(command), error);
      const message = `What stands on node "${transaction.key.host}" cannot be said yet: ${error.message}`;
      return drive.refuse(transaction, open(command), new DmsError('BUSY', message));
    }
    const { row } = transaction;
    if (mount.state !== 'mounted' || !isSameMount(row, reply, mount)) await this.#lose(transaction, command);
    drive.confirmedIncarnation = reply.incarnation;
    if (mount.state === 'mounted' || mount.state === 'broken') {
      const state = mount.state === 'mounted' ? 'MOUNTED' : 'BROKEN';
      return transaction.change({ state, ...seen(reply, mount), ...NO_PROBLEM });
    }
    // How the last unmount went stays: the job that asked for it may not have been told yet.
    const flush = flushProblemOf(reply);
    const before = row.errorCode === 'UNMOUNTED_DIRTY' ? {} : NO_PROBLEM;
    const problem = flush === null ? before : { errorCode: flush.code, errorMessage: flush.message };
    return transaction.change({ state: 'ABSENT', ...nothing(reply), ...problem });
  }

  async #legacy(
    transaction: TargetTransaction,
    drive: Drive,
    command: Command,
    reply: LegacyReply,
  ): Promise<void> {
    if (command.action === 'probe' || command.action === 'fence') return; // "Unknown action": the view is legacy now.
    if (reply.status === 'success') {
      drive.unmounted = command.action === 'unmount' && !foundNothing(reply);
      const state = command.action === 'mount' ? 'MOUNTED' : 'ABSENT';
      return transaction.change({
        state,
        incarnation: null,
        mntId: null,
        device: null,
        ...NO_PROBLEM,
      });
    }
    const error = legacyError(command.action, reply.error_msg);
    await transaction.change({
      state: command.action === 'mount' ? 'ABSENT' : 'UNCERTAIN',
      incarnation: null,
      ...problemOf(error),
    });
    if (command.action === 'unmount') drive.problem = { code: error.code, message: error.message };
    await drive.refuse(transaction, sharersOf(error, command), error);
  }

  /** What a Python client wrote after the command was decided, the node may have mounted after it looked. */
  async #lose(transaction: TargetTransaction, { pythonHolds }: Command): Promise<void> {
    const jobids = await transaction.bindings.lose(pythonHolds);
    if (jobids.length > 0) this.#log.warn({ msg: 'Jobs have lost their mount', ...transaction.key, jobids });
  }
}

async function probeReply(
  transaction: TargetTransaction,
  drive: Drive,
  command: Command,
  reply: NodeReply,
): Promise<void> {
  const { mount } = reply;
  const { row } = transaction;
  if (reply.status === 'error' || mount === null)
    return drive.refuse(transaction, open(command), errorOf(reply, 'INTERNAL'));
  if (row.state !== 'MOUNTED') return; // It was sent to learn the incarnation, which the view has now.
  const stands =
    mount.state === 'mounted' && reply.incarnation === row.incarnation && mount.mnt_id === row.mntId;
  if (stands) drive.confirmedIncarnation = reply.incarnation;
  else drive.suspicious = true;
}

/** It stood, and nobody holds it or asks for it: what keeps it from going is that it gives no answer. */
async function isBeingUnmounted({ row, bindings }: TargetTransaction): Promise<boolean> {
  if (row.mntId === null) return false;
  const { claimed, held } = await bindings.count();
  return claimed + held === 0;
}

/** A credential error is that of the token, so of the leader alone; the others try with their own. */
function sharersOf(error: DmsError, command: Command): Command['participants'] {
  const ofLeader =
    error.code === 'AUTH_EXPIRED' || error.code === 'SECRET_UNAVAILABLE' || error.code === 'FORBIDDEN';
  return ofLeader ? open(command).slice(0, 1) : open(command);
}

/** Participants that still wait for an answer. */
function open({ participants }: Command): Command['participants'] {
  return participants.filter(({ answered }) => !answered);
}
