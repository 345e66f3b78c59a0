import { Injectable } from '@nestjs/common';
import { type LookCommand, type MountObservation } from '@app/contracts';
import { type CommandResult } from '../commands/command-result';
import { FenceService } from '../fence/fence.service';
import { seenAs } from '../fence/target-record';
import { type Deadline } from '../providers/target-provider.interface';
import { AbsenceService } from './absence.service';
import { success, uncertain } from './answers';
import { isGone, type LookHint, ObservationService, type Survey } from './observation.service';
import { TargetQueues } from './target-queue';

/** Answers what is seen of a target. */
@Injectable()
export class LooksService {
  constructor(
    private readonly observations: ObservationService,
    private readonly fences: FenceService,
    private readonly queues: TargetQueues,
    private readonly absence: AbsenceService,
  ) {}

  /** What is seen now, beside the target's queue. While a command is in the queue nothing is certain. */
  async glance(targetId: string, hint: LookHint, deadline: Deadline): Promise<MountObservation> {
    const busy = this.queues.isBusy(targetId);
    const mount = await this.observations.observe(targetId, hint, busy ? 0 : deadline.remainingMs());
    return busy || this.queues.isBusy(targetId) ? { ...mount, state: 'unknown' } : mount;
  }

  /** Reports, and changes nothing. */
  async probe(command: LookCommand, deadline: Deadline): Promise<CommandResult> {
    const mount = await this.glance(command.targetId, command, deadline);
    return success(sentenceOf(mount), mount);
  }

  /**
   * Reports with nothing of the target under way: the call stands at the head of its queue, and its epoch keeps all
   * that is older from acting later. A mount that the ledger knows, and that a lost memory did not, is remembered again.
   */
  async fence(command: LookCommand, deadline: Deadline): Promise<CommandResult> {
    const survey = await this.observations.survey(command.targetId, command);
    const mount = await this.observations.observed(survey, deadline.remainingMs());
    if (mount.state === 'unknown') return uncertain('The target is fenced', mount);
    if (mount.state === 'absent') {
      await this.absence.note(command.targetId);
      const record = this.fences.recordOf(command.targetId);
      const after = await this.observations.observed({ ...survey, record }, deadline.remainingMs());
      return success(sentenceOf(after), after);
    }
    if (mount.state !== 'foreign') this.#adopt(survey, mount);
    return success(sentenceOf(mount), mount);
  }

  /**
   * Forgets mounts that were taken away by somebody else, of which nothing is left.
   *
   * @returns whether there were any
   */
  async forgetGone(): Promise<boolean> {
    let any = false;
    for (const { targetId } of this.fences.records().filter(({ mountedAs }) => mountedAs !== null)) {
      if (this.queues.isBusy(targetId)) continue;
      const gone = isGone(await this.observations.survey(targetId));
      if (!gone || this.queues.isBusy(targetId)) continue;
      await this.absence.note(targetId);
      any = true;
    }
    return any;
  }

  #adopt({ record, expected, ours, layers }: Survey, { read_only }: MountObservation): void {
    const layer = layers.at(-1);
    if (expected === null || layer === undefined || !ours) return;
    const mountedAs = seenAs(expected, layer);
    const readOnly = record.mountedAs?.readOnly ?? read_only ?? false;
    // The ledger takes what a fence finds: from now on it is not a Python program's alone, which would let it go.
    const flushProblem = record.mountedAs === null ? null : record.flushProblem;
    this.fences.note(record.targetId, {
      mountedAs: { ...mountedAs, readOnly },
      epochHolder: true,
      flushProblem,
    });
  }
}

function sentenceOf(mount: MountObservation): string {
  return `Target ${mount.backup_target_id} is ${mount.state} at ${mount.mount_path ?? 'no path'}`;
}
