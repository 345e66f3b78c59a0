import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import {
  DmsError,
  type LookCommand,
  type MountObservation,
  servesAnother,
  sourceOf,
  type TargetCommand,
} from '@app/contracts';
import { type CommandContext } from '../commands/command.context';
import { type CommandResult, failure, refusal } from '../commands/command-result';
import { type Admission, FenceService } from '../fence/fence.service';
import { type RecordedOutcome } from '../fence/target-record';
import { isUncertain, problem, uncertain } from './answers';
import { LooksService } from './looks.service';
import { MountsService } from './mounts.service';
import { type LookHint, NO_HINT, ObservationService } from './observation.service';
import { TargetQueues } from './target-queue';
import { UnmountsService } from './unmounts.service';

/** Those that go through a target's queue; a Python program's come without an epoch. */
type QueuedCommand = TargetCommand | LookCommand;

const CHILD_WAIT_MS = 5_000;
const CHILD_POLL_MS = 100;

/**
 * Lets commands through to a target: the fence first, then the target's queue, then nothing before the children of
 * earlier commands have ended, nor after the deadline, nor for a caller that has gone.
 */
@Injectable()
export class TargetCommandsService {
  readonly #logger = new Logger(TargetCommandsService.name);

  constructor(
    private readonly fences: FenceService,
    private readonly queues: TargetQueues,
    private readonly observations: ObservationService,
    private readonly looks: LooksService,
    private readonly mounts: MountsService,
    private readonly unmounts: UnmountsService,
  ) {}

  /** Executes a mount, unmount or fence. It does not throw: what went wrong is in the answer. */
  async execute(command: QueuedCommand, context: CommandContext): Promise<CommandResult> {
    const targetId = targetOf(command);
    let admission: Admission;
    try {
      admission = this.#admit(command);
      if (admission === 'foreign' && (await this.looks.forgetGone())) admission = this.#admit(command);
    } catch (error) {
      return this.#refusal(targetId, error);
    }
    if (admission === 'stale') return await this.#stale(command, context);
    if (admission === 'foreign') return await this.#foreign(command, context);
    const full = this.queues.fullness(targetId);
    if (full !== null) return await this.#crowdedOut(command, context, admission, full);
    try {
      return await this.queues.run(
        targetId,
        () => (admission === 'repeat' ? this.#repeat(command, context) : this.#first(command, context)),
        command.action === 'mount' || command.action === 'unmount' ? 'change' : 'look',
      );
    } catch (error) {
      if (!(error instanceof DmsError))
        this.#logger.error({ msg: 'A command met a defect', targetId, err: error });
      return { ...failure(DmsError.from(error)), epoch: this.#epochOf(command) };
    }
  }

  #admit(command: QueuedCommand): Admission {
    if (command.envelope === null) return 'proceed';
    return this.fences.admit(targetOf(command), command.envelope, this.queues.isAnyBusy);
  }

  async #first(command: QueuedCommand, context: CommandContext): Promise<CommandResult> {
    const targetId = targetOf(command);
    const left = await this.#waitForChildren(targetId, context);
    if (left !== null) return uncertain(`The ${command.action} was not begun`, left);
    const refused = await this.#lateOrAlone(command, context);
    const result = { ...(refused ?? (await this.#act(command, context))), epoch: this.#epochOf(command) };
    if (command.envelope !== null && !isUncertain(result)) {
      this.fences.settle(targetId, command.envelope, outcomeOf(result));
    }
    return result;
  }

  async #act(command: QueuedCommand, { deadline }: CommandContext): Promise<CommandResult> {
    switch (command.action) {
      case 'mount':
        return await this.mounts.mount(command, deadline);
      case 'unmount':
        return await this.unmounts.unmount(command, deadline);
      case 'probe':
      case 'fence':
        return await this.looks.fence(command, deadline);
    }
  }

  /** The refusal of a command for whose answer nobody waits any more; null where it is to be executed. */
  async #lateOrAlone(command: QueuedCommand, context: CommandContext): Promise<CommandResult | null> {
    if (context.deadline.remainingMs() <= 0) {
      return refusal(
        new DmsError(
          'TIMEOUT',
          `The deadline passed before the ${command.action} was begun: nothing was done`,
        ),
      );
    }
    let waits: boolean;
    try {
      waits = await context.callerWaits();
    } catch (error) {
      this.#logger.warn({ msg: 'It cannot be told whether a caller still waits', err: error });
      return refusal(
        new DmsError(
          'BROKER_UNAVAILABLE',
          'It cannot be told whether the caller still waits: nothing was done',
        ),
      );
    }
    if (waits) return null;
    this.#logger.warn({ msg: 'The caller is gone: its command is dropped', targetId: targetOf(command) });
    return refusal(new DmsError('TIMEOUT', 'The caller is gone: nothing was done'));
  }

  /** The same operation again. What is seen decides whether its recorded outcome is still true. */
  async #repeat(command: QueuedCommand, context: CommandContext): Promise<CommandResult> {
    const targetId = targetOf(command);
    const left = await this.#waitForChildren(targetId, context);
    if (left !== null) return uncertain(`The ${command.action} was received before`, left);
    if (command.action === 'fence' || command.action === 'probe') {
      return { ...(await this.looks.fence(command, context.deadline)), epoch: this.#epochOf(command) };
    }
    const mount = await this.observations.observe(targetId, hintOf(command), context.deadline.remainingMs());
    const { outcome, epoch, operationId } = this.fences.recordOf(targetId);
    const remembered =
      epoch === command.envelope?.epoch && operationId === command.envelope.operation_id ? outcome : null;
    if (remembered === null || !agrees(command.action, remembered, mount)) {
      const text = `The ${command.action} was received before, and its outcome is not known`;
      return { ...problem('TIMEOUT', text, mount), epoch: this.#epochOf(command) };
    }
    return { ...remembered, mountPath: mount.mount_path, epoch, mount, acted: true };
  }

  /** What is seen where children of earlier commands outlast the wait for them; null where there are none. */
  async #waitForChildren(targetId: string, { deadline }: CommandContext): Promise<MountObservation | null> {
    const end = performance.now() + Math.min(CHILD_WAIT_MS, deadline.remainingMs());
    for (;;) {
      if ((await this.observations.childrenLeft(targetId)) === 0) return null;
      if (performance.now() >= end) break;
      await sleep(CHILD_POLL_MS);
    }
    const mount = await this.observations.observe(targetId, NO_HINT, 0);
    return mount.children_left > 0 ? mount : null;
  }

  async #stale(command: QueuedCommand, { deadline }: CommandContext): Promise<CommandResult> {
    const { epoch } = this.fences.recordOf(targetOf(command));
    const mount = await this.looks.glance(targetOf(command), hintOf(command), deadline);
    const text = `The ${command.action} was overtaken: this node remembers epoch ${epoch} of incarnation ${this.fences.incarnation}`;
    return { ...problem('STALE_EPOCH', text, mount, { acted: false }), epoch };
  }

  /** Of another ledger than the one that is served: what it is about is looked at, and no more. */
  async #foreign(command: QueuedCommand, { deadline }: CommandContext): Promise<CommandResult> {
    const targetId = targetOf(command);
    const { ledger } = this.fences;
    const theirs = command.envelope?.ledger;
    this.#logger.warn({ msg: 'A command of another ledger is refused', targetId, ledger, theirs });
    const mount = await this.looks.glance(targetId, hintOf(command), deadline);
    const text = `The ${command.action} was refused: ${servesAnother(ledger, theirs)}`;
    const { epoch } = this.fences.recordOf(targetId);
    return { ...problem('CONFLICT', text, mount, { acted: false }), epoch, ledger };
  }

  /**
   * No more commands may wait. A refused one has used its epoch up, so that it does nothing either when it is delivered
   * again; of a repeat it is not known here what becomes of the command itself.
   */
  async #crowdedOut(
    command: QueuedCommand,
    { deadline }: CommandContext,
    admission: 'proceed' | 'repeat',
    full: DmsError,
  ): Promise<CommandResult> {
    const epoch = this.#epochOf(command);
    if (admission === 'repeat') {
      const mount = await this.looks.glance(targetOf(command), hintOf(command), deadline);
      const text = `The ${command.action} was received before, and its outcome is not known: ${full.message}`;
      return { ...problem('TIMEOUT', text, mount), epoch };
    }
    const refused = { ...refusal(full), epoch };
    if (command.envelope !== null)
      this.fences.settle(targetOf(command), command.envelope, outcomeOf(refused));
    return refused;
  }

  #refusal(targetId: string, error: unknown): CommandResult {
    if (!(error instanceof DmsError))
      this.#logger.error({ msg: 'A command met a defect', targetId, err: error });
    return { ...refusal(DmsError.from(error)), epoch: this.fences.recordOf(targetId).epoch };
  }

  /** A later command may have raised the target's epoch meanwhile: the answer names the one it was taken under. */
  #epochOf(command: QueuedCommand): number {
    return command.envelope?.epoch ?? this.fences.recordOf(targetOf(command)).epoch;
  }
}

/** True where a recorded outcome can still be what is the case. */
function agrees(action: 'mount' | 'unmount', outcome: RecordedOutcome, mount: MountObservation): boolean {
  const mountedAfterwards = (action === 'mount') === (outcome.status === 'success');
  return mount.state === (mountedAfterwards ? 'mounted' : 'absent');
}

function targetOf(command: QueuedCommand): string {
  return 'targetId' in command ? command.targetId : command.request.backup_target.id;
}

function hintOf(command: QueuedCommand): LookHint {
  if ('targetId' in command) return command;
  const target = command.request.backup_target;
  const mountPath = target.filesystem_export_mount_path ?? null;
  return { mountPath, type: target.type, source: sourceOf(target) };
}

function outcomeOf({ status, error_code, error_msg, success_msg }: CommandResult): RecordedOutcome {
  return { status, error_code, error_msg, success_msg };
}
