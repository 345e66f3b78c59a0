import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError, type MountObservation, type MountUser, type TargetCommand } from '@app/contracts';
import { happened, measured } from '@app/platform';
import { type CommandResult } from '../commands/command-result';
import { atMost } from '../commands/deadline';
import { FenceService } from '../fence/fence.service';
import { viewOf } from '../fence/legacy-holders';
import { type LegacyHolder, type MountedAs } from '../fence/target-record';
import { type Deadline, type UnmountPlan, type UnmountResult } from '../providers/target-provider.interface';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { AbsenceService } from './absence.service';
import { problem, refused, success, uncertain } from './answers';
import { HEARTBEAT, type Heartbeat } from '../kernel/heartbeat.interface';
import { MOUNT_USERS, type MountUsers } from '../kernel/mount-users.interface';
import { NO_HINT, ObservationService, type Survey } from './observation.service';

/** Unmounts targets, by what the node remembers of them. Each call stands at the head of its target's queue. */
@Injectable()
export class UnmountsService {
  readonly #logger = new Logger(UnmountsService.name);

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(MOUNT_USERS) private readonly users: MountUsers,
    @Inject(HEARTBEAT) private readonly heartbeat: Heartbeat,
    private readonly observations: ObservationService,
    private readonly fences: FenceService,
    private readonly absence: AbsenceService,
  ) {}

  /** Takes a target's mount away, or finds that there is none. The answer says what was seen at the end. */
  async unmount(command: TargetCommand, deadline: Deadline): Promise<CommandResult> {
    const { id, filesystem_export_mount_path } = command.request.backup_target;
    const hint = { ...NO_HINT, mountPath: filesystem_export_mount_path ?? null };
    const survey = await this.observations.survey(id, hint);
    const { record, mountPath, layers } = survey;
    if (survey.childrenLeft > 0)
      return uncertain('The target was not unmounted', await this.#look(survey, 0));
    const { mountedAs } = record;
    const nothingLeft = layers.length === 0 && survey.daemonPid === null;
    if (nothingLeft) {
      await this.absence.note(id);
      return success(`Target not mounted at ${mountPath}`, await this.#look(survey));
    }
    // Only a mount that is remembered is known to be ours; whatever else stands there is somebody's.
    if (mountedAs === null || (layers.length > 0 && !survey.ours)) {
      const text = `${mountPath} is held by a mount that is not this target's: it is left alone`;
      return refused(new DmsError('CONFLICT', text), await this.#look(survey));
    }
    const shared = await this.#answerForPythonPeers(command, survey);
    if (shared !== null) return shared;
    // Whoever noticed it: the watch may not have had its turn yet.
    if (layers.length > 0 && survey.daemonPid === null && mountedAs.type === 's3')
      happened({ what: 'fuse_process_failed', targetId: id, how: 'ended' });
    const limited = atMost(deadline, this.settings.unmountTimeoutMs);
    const result = await this.#take({ targetId: id, mountedAs, hung: survey.hung }, limited);
    return await this.#answer(command, survey, mountedAs, result);
  }

  /**
   * A mount that Python programs use beside ours goes only when both have let go of it. Of a program that has not said
   * so here, the sender's ledger may show it: it names those that it shows to have ended. A dead mount serves nobody.
   */
  async #answerForPythonPeers(command: TargetCommand, survey: Survey): Promise<CommandResult | null> {
    const { targetId, legacyHolders, epochHolder } = survey.record;
    if (command.envelope !== null) {
      if (legacyHolders.length === 0) return null;
      const ended = command.envelope.legacy_ended ?? [];
      const left = legacyHolders.filter(({ id }) => !ended.includes(id));
      if (left.length < legacyHolders.length) this.fences.remember(targetId, { legacyHolders: left });
      if (left.length === 0) return null;
      const mount = await this.#look(survey);
      if (mount.state === 'broken') return null;
      const busy = refused(new DmsError('BUSY', heldText(survey.mountPath, left)), mount);
      return { ...busy, legacyHolders: viewOf(left) };
    }
    // Until the mount is gone: a program whose unmount is refused holds the mount still.
    if (!epochHolder) return null;
    this.fences.remember(targetId, { legacyHolders: [] });
    this.#logger.log({ msg: 'A Python program let go of a mount that others hold: it stays', targetId });
    const mount = await this.#look(survey, 0);
    const text = `Target unmounted successfully from ${survey.mountPath} for this program; the mount stays until dms-client, which knows of it, takes it away`;
    return success(text, mount, { acted: false });
  }

  async #take(plan: UnmountPlan, deadline: Deadline): Promise<UnmountResult> {
    // The watch asks no more as long as this command lasts, but what it asked before would keep the mount busy.
    await this.heartbeat.withdraw(plan.targetId);
    try {
      const provider = this.observations.providerOf(plan.mountedAs.type);
      return await measured(
        'unmount',
        { target_type: provider.type },
        () => provider.unmount(plan, deadline),
        codeOf,
      );
    } catch (error) {
      if (!(error instanceof DmsError)) this.#logger.error({ msg: 'An unmount met a defect', err: error });
      return { kind: 'failed', reason: DmsError.from(error).message };
    }
  }

  async #answer(
    command: TargetCommand,
    before: Survey,
    mountedAs: MountedAs,
    result: UnmountResult,
  ): Promise<CommandResult> {
    const after = await this.observations.survey(before.record.targetId);
    const mount = await this.#look(after);
    if (mount.state === 'unknown') return uncertain(reasonOf(result), mount);
    if (mount.state === 'absent') {
      return await this.#gone(command, before, mountedAs, mount, result);
    }
    if (result.kind === 'busy') return await this.#busy(after, mountedAs, mount);
    const what = mount.mounted ? 'is still mounted' : 'is unmounted, but its daemon runs on';
    return problem('UNMOUNT_FAILED', `${mountedAs.mountPath} ${what}: ${reasonOf(result)}`, mount);
  }

  async #gone(
    command: TargetCommand,
    before: Survey,
    mountedAs: MountedAs,
    mount: MountObservation,
    result: UnmountResult,
  ): Promise<CommandResult> {
    const { targetId } = before.record;
    await this.absence.note(targetId);
    const device = before.layers.at(-1)?.device ?? mountedAs.device;
    const users = await this.#usersElsewhere(targetId, device);
    const flushVerified = result.kind !== 'gone' || users.length > 0 ? false : result.flushVerified;
    const seen = { ...mount, flush_verified: flushVerified, users };
    const text = `Target unmounted successfully from ${mountedAs.mountPath}`;
    // Null: a mount that was gone before anything could be said of what was written to it.
    if (flushVerified !== false || command.envelope === null) return success(text, seen);
    const why =
      users.length > 0 ? `it lives on in other mount namespaces: ${namesOf(users)}` : reasonOf(result);
    return success(`${text}, but not cleanly: ${why}`, seen, { error_code: 'UNMOUNTED_DIRTY' });
  }

  async #busy(after: Survey, mountedAs: MountedAs, mount: MountObservation): Promise<CommandResult> {
    const { targetId } = after.record;
    if (after.layers.length === 0) {
      const users = await this.#usersElsewhere(targetId, mountedAs.device);
      const text = `${after.mountPath} is unmounted here, but lives on in other mount namespaces`;
      return problem('BUSY', `${text}: ${namesOf(users)}`, { ...mount, users });
    }
    const found = await this.#found(() => this.users.usersOf(targetId, after.mountPath));
    const users = found.filter(({ pid }) => pid !== after.daemonPid);
    const nobody = after.hung ? '' : ' by a process that could not be found';
    const by = users.length === 0 ? nobody : ` by ${namesOf(users)}`;
    const text = `${after.mountPath} is in use${by}${after.hung ? hangOf(after.daemonPid) : ''}`;
    return problem('BUSY', text, { ...mount, users });
  }

  /** Other mount namespaces in which the file system lives on: there it is not unmounted by us. */
  async #usersElsewhere(targetId: string, device: string | null): Promise<readonly MountUser[]> {
    if (device === null) return [];
    const users = await this.#found(() => this.users.otherNamespaces(targetId, device));
    if (users.length > 0) {
      this.#logger.warn({ msg: 'Unmounted here, but mounted on in other namespaces', targetId, users });
    }
    return users;
  }

  /** That its users cannot be found changes nothing of how an unmount went. */
  async #found(look: () => Promise<MountUser[]>): Promise<MountUser[]> {
    try {
      return await look();
    } catch (error) {
      this.#logger.warn({ msg: 'The users of a mount cannot be found', err: error });
      return [];
    }
  }

  async #look(survey: Survey, probeMs?: number): Promise<MountObservation> {
    return await this.observations.observed(survey, probeMs);
  }
}

function heldText(mountPath: string, holders: readonly LegacyHolder[]): string {
  const jobids = holders.flatMap(({ jobid }) => (jobid === null ? [] : [jobid]));
  const jobs = jobids.length === 0 ? '' : ` for job ${jobids.join(', ')}`;
  return `A program that sends no epochs still holds the mount at ${mountPath}${jobs}; if it has ended without a trace in the ledger: umount ${mountPath}`;
}

/** That the mount may be kept by its daemon alone, and how that ends. */
function hangOf(daemonPid: number | null): string {
  return (
    `; its FUSE daemon, process ${daemonPid}, hangs: the mount goes when that goes on, or, with all that it has not stored, ` +
    `by: dms-server processes --kill ${daemonPid} --force`
  );
}

function namesOf(users: readonly MountUser[]): string {
  return users
    .map(({ pid, command, path }) => `${command} (${pid}${path === null ? '' : `, ${path}`})`)
    .join(', ');
}

function codeOf({ kind }: UnmountResult): string | null {
  switch (kind) {
    case 'gone':
      return null;
    case 'busy':
      return 'BUSY';
    case 'failed':
      return 'UNMOUNT_FAILED';
  }
}

function reasonOf(result: UnmountResult): string {
  switch (result.kind) {
    case 'busy':
      return 'it is in use';
    case 'failed':
      return result.reason;
    case 'gone':
      return result.detail ?? 'the daemon is not known to have flushed';
  }
}
