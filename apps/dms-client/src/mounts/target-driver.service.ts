import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { pastPhase } from '@app/platform';
import { type TargetKey } from '../ledger/target-key';
import { TargetLedger } from '../ledger/target-ledger';
import { LockService } from '../locks/lock.service';
import { type CommandOutcome, NODE_COMMANDS, type NodeCommands } from '../nodes/node-commands.service';
import { NodeViewsService } from '../nodes/node-views.service';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { DecisionService } from './decision.service';
import { Drive } from './drive';
import { SettlementService } from './settlement.service';
import { type Command, type Step } from './step';
import { doneFor, type WaitingRequest } from './waiting-request';

/** How soon the next in line for a lease looks again, and how soon those behind it. */
const LOCK_POLL_MS = { next: 20, others: 200 };

/**
 * Works on one target, under its lease, until nothing is left to do: decide, send, settle, decide anew. No database
 * connection is held while a node is waited for.
 */
@Injectable()
export class TargetDriver {
  readonly #log = new Logger(TargetDriver.name);

  constructor(
    private readonly ledger: TargetLedger,
    private readonly locks: LockService,
    private readonly views: NodeViewsService,
    private readonly decisions: DecisionService,
    private readonly settlements: SettlementService,
    @Inject(NODE_COMMANDS) private readonly nodes: NodeCommands,
    @Inject(SETTINGS) private readonly settings: ClientSettings,
  ) {}

  /**
   * @param waiting requests of this process for the target; those that are answered are taken out, and those that
   *   come in meanwhile are looked at in the next step. Empty: only what is open in the row is settled.
   * @param suspicious something contradicts the row: the node is fenced first
   * @returns whether the target came to rest; false where it is to be looked at again later
   */
  async drive(key: TargetKey, waiting: Set<WaitingRequest>, suspicious = false): Promise<boolean> {
    const drive = new Drive(key, waiting, suspicious);
    try {
      await this.#untilRest(drive);
      return drive.problem === null;
    } catch (error) {
      const failure = DmsError.from(error);
      if (failure.code === 'INTERNAL') this.#log.error(error);
      drive.discard();
      drive.failAll(unknownOutcome(failure));
      return false;
    }
  }

  async #untilRest(drive: Drive): Promise<void> {
    const started = performance.now();
    let step = await this.#decide(drive);
    for (;;) {
      drive.deliver();
      if (step.kind === 'rest') return;
      if (step.kind === 'command') {
        step = await this.#carryOut(drive, step.command);
        continue;
      }
      if (step.kind === 'again') await sleep(step.afterMs);
      if (step.kind === 'locked') {
        if (!drive.waits) return;
        await this.#waitForLease(drive, step.next ? LOCK_POLL_MS.next : LOCK_POLL_MS.others, started);
      }
      step = await this.#decide(drive);
    }
  }

  /** Returns when it is of use to decide anew. Nothing is left to do once nobody waits for an answer any more. */
  async #waitForLease(drive: Drive, pollMs: number, started: number): Promise<void> {
    do {
      await this.#giveUpWaiting(drive, started);
      await sleep(pollMs);
    } while (
      drive.waits &&
      drive.place !== null &&
      !(await this.locks.isWorthTrying(drive.key, drive.place))
    );
  }

  async #decide(drive: Drive): Promise<Step> {
    const view = await this.views.view(drive.key.host);
    return this.ledger.transaction(drive.key, (transaction) => {
      drive.discard();
      return this.decisions.decide(transaction, drive, view);
    });
  }

  /** Sends the command, and settles and decides anew in one transaction. */
  async #carryOut(drive: Drive, command: Command): Promise<Step> {
    const { lease, key } = drive;
    if (lease === null) throw new Error('A command was decided without a lease');
    drive.turnTaken();
    const outcome = await this.locks.whileRenewed(lease, () =>
      doneFor(command.participants.at(0), () => this.nodes.send(key.host, command.body, command.deadlineMs)),
    );
    await this.#learn(key.host, outcome);
    const view = await this.views.view(key.host);
    return this.ledger.transaction(key, async (transaction) => {
      drive.discard();
      const { row } = transaction;
      const ours =
        row.epoch === command.epoch &&
        (command.action === 'probe' || row.operationId === command.operationId);
      // Somebody decided since: what this command came to has no meaning any more.
      if (!this.locks.holds(transaction, lease) || !ours) drive.lease = null;
      else await this.settlements.settle(transaction, drive, command, outcome);
      return this.decisions.decide(transaction, drive, view);
    });
  }

  async #learn(host: string, outcome: CommandOutcome): Promise<void> {
    if (outcome.kind !== 'reply') return;
    if (outcome.reply.kind === 'legacy') await this.views.learnLegacy(host);
    else this.views.learnIncarnation(host, outcome.reply.reply.incarnation);
  }

  /** @param started when the waiting began, by performance.now() */
  async #giveUpWaiting(drive: Drive, started: number): Promise<void> {
    const waitedMs = performance.now() - started;
    if (waitedMs < this.settings.lockTimeoutMs) return;
    const seconds = Math.round(waitedMs / 1000);
    const error = new DmsError('LOCK_TIMEOUT', `Could not acquire lock after ${seconds} seconds`);
    this.#log.warn({ msg: error.message, ...drive.key });
    pastPhase('lock_wait', {}, started, error.code);
    await this.ledger.transaction(drive.key, async (transaction) => {
      drive.discard();
      drive.problem = { code: error.code, message: error.message };
      await drive.refuse(transaction, drive.mounts, error);
      await drive.finishUnmounts(transaction);
      if (drive.place !== null) await this.locks.leave(transaction, drive.place);
    });
    drive.deliver();
  }
}

/** Whatever went wrong: claims and releases of those that wait stand in the ledger, and a command may have been sent. */
function unknownOutcome(error: DmsError): DmsError {
  if (error.code === 'TIMEOUT') return error;
  const message = `The outcome is unknown and is being found out: ${error.message}`;
  return new DmsError('TIMEOUT', message, { cause: error });
}
