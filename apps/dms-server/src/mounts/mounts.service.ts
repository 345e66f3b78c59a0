import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError, type MountObservation, type TargetCommand } from '@app/contracts';
import { measured } from '@app/platform';
import { type CommandResult, refusal } from '../commands/command-result';
import { atMost } from '../commands/deadline';
import { FenceService } from '../fence/fence.service';
import { withHolder } from '../fence/legacy-holders';
import { seenAs, type TargetRecord } from '../fence/target-record';
import { MOUNTPOINT_GUARD, type MountpointGuard } from '../kernel/mountpoint-guard.interface';
import { MOUNT_TABLE, type MountEntry, type MountTable } from '../kernel/mount-table.interface';
import { namingShortage } from '../processes/shortage';
import { type Deadline, type MountPlan } from '../providers/target-provider.interface';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { AbsenceService } from './absence.service';
import { problem, refused, success, uncertain } from './answers';
import { conflictAt, differenceOf, mountedAsOf, planOf } from './mount-plan';
import { NO_HINT, ObservationService, type Survey } from './observation.service';
import { TargetQueues } from './target-queue';

const TYPE_NAMES = { s3: 'S3', nfs: 'NFS' } as const;

/** Mounts targets. Each call stands at the head of its target's queue. */
@Injectable()
export class MountsService {
  readonly #logger = new Logger(MountsService.name);

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    @Inject(MOUNTPOINT_GUARD) private readonly guard: MountpointGuard,
    private readonly observations: ObservationService,
    private readonly fences: FenceService,
    private readonly queues: TargetQueues,
    private readonly absence: AbsenceService,
  ) {}

  /** Mounts a target, or finds that it is mounted as asked for. The answer says what was seen at the end. */
  async mount(command: TargetCommand, deadline: Deadline): Promise<CommandResult> {
    const { id, filesystem_export_mount_path } = command.request.backup_target;
    const hint = { ...NO_HINT, mountPath: filesystem_export_mount_path ?? null };
    let survey: Survey;
    let before: MountObservation;
    try {
      survey = await this.observations.survey(id, hint);
      before = await this.observations.observed(survey, deadline.remainingMs());
    } catch (error) {
      // Nothing was begun yet: the node cannot even look.
      const shortage = namingShortage(error, 'The node cannot look at its mounts');
      if (shortage instanceof DmsError) return refusal(shortage);
      throw error;
    }
    let plan: MountPlan;
    try {
      plan = planOf(command.request, this.settings.mountBases);
      const standing = this.#answerByStanding(command, plan, before, survey);
      if (standing !== null) return standing;
      await this.#forgetAbsentOthers(plan);
      this.#claim(command, plan, await this.table.read());
    } catch (error) {
      if (error instanceof DmsError) return refused(error, before);
      throw error;
    }
    return await this.#mountClaimed(command, plan, deadline);
  }

  /** The answer where this target is mounted already, or cannot be told to be absent; null where it is absent. */
  #answerByStanding(
    command: TargetCommand,
    plan: MountPlan,
    before: MountObservation,
    { layers: [layer] }: Survey,
  ): CommandResult | null {
    if (before.state === 'unknown') return uncertain('The target was not mounted', before);
    const { mountedAs } = this.fences.recordOf(plan.targetId);
    // What stands at the default path of a target that was never mounted is judged with the path that is asked for.
    if (before.state === 'absent' || mountedAs === null) return null;
    if (before.state === 'foreign') {
      throw new DmsError('CONFLICT', `${mountedAs.mountPath} is held by a mount that is not this target's`);
    }
    if (before.layers > 1) {
      throw new DmsError('CONFLICT', `${before.layers} layers are mounted at ${mountedAs.mountPath}`);
    }
    if (before.state === 'broken') {
      const text = `The mount at ${mountedAs.mountPath} is broken${daemonOf(before)}: it has to be unmounted first`;
      throw new DmsError('MOUNT_FAILED', text);
    }
    const difference = differenceOf(plan, mountedAs);
    if (difference !== null) throw new DmsError('CONFLICT', `The target is mounted already, ${difference}`);
    const { legacyHolders } = this.fences.recordOf(plan.targetId);
    const holders = this.#holders(command, legacyHolders);
    this.fences.remember(plan.targetId, { mountedAs: seenAs(mountedAs, layer), ...holders });
    return success(`Already mounted at ${plan.mountPath}`, before);
  }

  /** Another target that is remembered in the way may have been unmounted by somebody else. */
  async #forgetAbsentOthers(plan: MountPlan): Promise<void> {
    const inTheWay = (record: TargetRecord): boolean =>
      record.targetId !== plan.targetId && conflictAt(plan, this.settings.mountBases, [], [record]) !== null;
    for (const { targetId } of this.fences.records().filter(inTheWay)) {
      if (this.queues.isBusy(targetId)) continue;
      const other = await this.observations.observe(targetId, NO_HINT, 0);
      if (other.state === 'absent' && !this.queues.isBusy(targetId)) await this.absence.note(targetId);
    }
  }

  /** Looks whether the path is free and remembers it as this target's, with nothing in between. */
  #claim(command: TargetCommand, plan: MountPlan, table: Awaited<ReturnType<MountTable['read']>>): void {
    const conflict = conflictAt(plan, this.settings.mountBases, table, this.fences.records());
    if (conflict !== null) {
      const { message, cause } = conflict;
      this.#logger.warn({ msg: message, target: plan.targetId, in_the_way: cause });
      throw conflict;
    }
    const former = this.fences.recordOf(plan.targetId).mountedAs;
    // Whoever held a former mount has nothing of this one. How that one ended the client has asked for by now.
    const holders = this.#holders(command, []);
    this.fences.remember(plan.targetId, { mountedAs: mountedAsOf(plan), ...holders, flushProblem: null });
    if (former !== null && former.mountPath !== plan.mountPath) this.guard.removeLater(former.mountPath);
  }

  #holders(
    { envelope, anonymous, request }: TargetCommand,
    legacyHolders: TargetRecord['legacyHolders'],
  ): Pick<TargetRecord, 'legacyHolders' | 'epochHolder'> {
    const { epochHolder } = this.fences.recordOf(request.backup_target.id);
    if (envelope !== null) return { legacyHolders, epochHolder: true };
    const jobid = anonymous === true ? null : request.job.jobid;
    return { legacyHolders: withHolder(legacyHolders, jobid), epochHolder };
  }

  async #mountClaimed(command: TargetCommand, plan: MountPlan, deadline: Deadline): Promise<CommandResult> {
    const provider = this.observations.providerOf(plan.request.backup_target.type);
    let mountpoint = Promise.resolve();
    const makeMountpoint = (): Promise<void> => {
      mountpoint = this.guard.prepare(plan.mountPath);
      mountpoint.catch(() => undefined); // told by the provider, unless that fails before it has waited for it
      return mountpoint;
    };
    let layer: MountEntry;
    try {
      layer = await measured('mount', { target_type: provider.type }, () =>
        provider.mount(
          plan,
          makeMountpoint,
          atMost(deadline, this.settings.mountTimeoutMs, 'DMS_MOUNT_TIMEOUT'),
        ),
      );
    } catch (met) {
      const error = namingShortage(met, `${plan.mountPath} could not be mounted on`);
      if (!(error instanceof DmsError)) this.#logger.error({ msg: 'A mount met a defect', err: error });
      await mountpoint.catch(() => undefined);
      const after = await this.observations.observe(plan.targetId);
      return await this.#notMounted(plan, after, DmsError.from(error));
    }
    // It is held from now, not from when it was begun. What is seen is told by this: the layer may show another source
    // than was asked for.
    const mountedAs = seenAs(mountedAsOf(plan), layer);
    this.fences.note(plan.targetId, { mountedAs, ...this.#holders(command, []) });
    return await this.#mounted(plan, await this.observations.observeAnswered(plan.targetId));
  }

  async #mounted(plan: MountPlan, after: MountObservation): Promise<CommandResult> {
    if (after.state !== 'mounted') {
      const text = `The mount at ${plan.mountPath} was made and is ${after.state} now`;
      return await this.#notMounted(plan, after, new DmsError('MOUNT_FAILED', text));
    }
    const type = TYPE_NAMES[plan.request.backup_target.type];
    return success(`${type} target mounted successfully at ${plan.mountPath}`, after);
  }

  async #notMounted(plan: MountPlan, after: MountObservation, error: DmsError): Promise<CommandResult> {
    if (after.state === 'unknown') return uncertain(error.message, after);
    if (after.state === 'absent') {
      await this.absence.note(plan.targetId);
    }
    // The time-out of a program that is gone leaves nothing unknown: it was looked.
    const code = error.code === 'TIMEOUT' ? 'MOUNT_FAILED' : error.code;
    return problem(code, error.message, after);
  }
}

/** The process that keeps a broken mount from being made anew. */
function daemonOf({ mounted, pid }: MountObservation): string {
  if (pid === null) return '';
  return mounted
    ? ` (its FUSE daemon is process ${pid})`
    : ` (its FUSE daemon, process ${pid}, is left without a mount)`;
}
