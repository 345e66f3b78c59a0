import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError, type MountObservation, type MountUser, type TargetCommand } from '@app/contracts';
import { happened, measured } from '@app/platform';
import { type CommandResult } from '../commands/command-result';
import { atMost } from '../commands/deadline';
import { FenceService } from '../fence/fence.service';
import { viewOf } from '../fence/legacy-holders';
import { type LegacyHolder, type MountedAs } from '../fence/target-record';
import { waitUntil } from '../processes/delay';
import { type Deadline, type UnmountPlan, type UnmountResult } from '../providers/target-provider.interface';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { AbsenceService } from './absence.service';
import { problem, refused, success, uncertain } from './answers';
import { CopiedMounts } from './copied-mounts';
import { HEARTBEAT, type Heartbeat } from '../kernel/heartbeat.interface';
import { MOUNT_PROBE, type MountProbe } from '../kernel/mount-probe.interface';
import { MOUNT_USERS, type MountUsers } from '../kernel/mount-users.interface';
import { FlushFailures } from './flush-failures';
import { NO_HINT, ObservationService, type Survey } from './observation.service';

/** A copy of a mount in another namespace that is gone within this time keeps nobody from a clean unmount. */
const COPIES_MS = 1_000;

/** Unmounts targets, by what the node remembers of them. Each call stands at the head of its target's queue. */
@Injectable()
export class UnmountsService {
  readonly #logger = new Logger(UnmountsService.name);
  /** Targets whose mounts an unmount of this program has taken out, or tried to, and whose daemons may flush. */
  readonly #taken = new Set<string>();

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(MOUNT_USERS) private readonly users: MountUsers,
    @Inject(HEARTBEAT) private readonly heartbeat: Heartbeat,
    @Inject(MOUNT_PROBE) private readonly probe: MountProbe,
    private readonly observations: ObservationService,
    private readonly fences: FenceService,
    private readonly absence: AbsenceService,
    private readonly copies: CopiedMounts,
    private readonly flushFailures: FlushFailures,
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
      this.#taken.delete(id);
      this.copies.forget(id);
      await this.absence.note(id);
      const after = { ...survey, record: this.fences.recordOf(id) };
      return this.#withFlush(`Target not mounted at ${mountPath}`, await this.#look(after), command);
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
    if (layers.length > 0) this.#taken.add(id);
    const limited = atMost(deadline, this.settings.unmountTimeoutMs, 'DMS_UNMOUNT_TIMEOUT');
    const left = layers.length === 0 && !this.#taken.has(id);
    const plan = {
      ...{ targetId: id, mountedAs, hung: survey.hung, left },
      livesElsewhere: () => this.copies.isLeft(id, mountedAs),
      flushFailed: (reason: string) => this.flushFailures.note(id, reason),
    };
    const result = await this.#take(plan, survey, limited);
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

  async #take(plan: UnmountPlan, { layers }: Survey, deadline: Deadline): Promise<UnmountResult> {
    const layer = layers.at(-1);
    // While the layer stands nothing else has its device number.
    const copied = layer === undefined ? Promise.resolve() : this.copies.before(plan.targetId, layer);
    // The watch asks no more as long as this command lasts, but what it asked before would keep the mount busy.
    await Promise.all([copied, this.heartbeat.withdraw(plan.targetId)]);
    try {
      const provider = this.observations.providerOf(plan.mountedAs.type);
      return await measured(
        'unmount',
        { target_type: provider.type },
        () => this.probe.keepOut(plan.targetId, () => provider.unmount(plan, deadline)),
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
      return await this.#gone(command, before.record.targetId, mountedAs, mount, result);
    }
    if (result.kind === 'busy') return await this.#busy(after, mountedAs, mount);
    const what = mount.mounted ? 'is still mounted' : 'is unmounted, but its daemon runs on';
    const text = `${mountedAs.mountPath} ${what}: ${reasonOf(result)}${lossOf(mount)}`;
    return problem('UNMOUNT_FAILED', text, mount);
  }

  async #gone(
    command: TargetCommand,
    targetId: string,
    mountedAs: MountedAs,
    mount: MountObservation,
    result: UnmountResult,
  ): Promise<CommandResult> {
    this.#taken.delete(targetId);
    await this.absence.note(targetId);
    const unverified = result.kind === 'gone' && result.flushVerified !== false ? null : reasonOf(result);
    const known = this.fences.recordOf(targetId).flushProblem ?? unverified;
    // At once: the search may take seconds, and this server may not live to its end.
    if (known !== null) this.fences.note(targetId, { flushProblem: known });
    const isOver = result.kind === 'gone' && result.everywhere;
    const users = isOver ? [] : await this.#usersThatStay(targetId, mountedAs);
    this.copies.forget(targetId);
    const text = `Target unmounted successfully from ${mountedAs.mountPath}`;
    const lives = users.length === 0 ? null : `it lives on in other mount namespaces: ${namesOf(users)}`;
    const flushProblem = lives ?? known;
    // Null also of a mount that was gone before anything could be said of what was written to it.
    const flushVerified = result.kind === 'gone' ? result.flushVerified : false;
    if (flushProblem === null) return success(text, { ...mount, flush_verified: flushVerified, users });
    this.fences.note(targetId, { flushProblem });
    const seen = { ...mount, flush_verified: false, flush_problem: flushProblem, users };
    return this.#withFlush(text, seen, command);
  }

  /** A success, with what was not flushed. A program that sends no epochs is told the success alone. */
  #withFlush(text: string, mount: MountObservation, { envelope }: TargetCommand): CommandResult {
    const { flush_problem: why } = mount;
    if (why === undefined || envelope === null) return success(text, mount);
    return success(`${text}, but not cleanly: ${why}`, mount, { error_code: 'UNMOUNTED_DIRTY' });
  }

  async #busy(after: Survey, mountedAs: MountedAs, mount: MountObservation): Promise<CommandResult> {
    const { targetId } = after.record;
    if (after.layers.length === 0) {
      const users = await this.#usersElsewhere(targetId, mountedAs);
      const text = `${after.mountPath} is unmounted here, but lives on in other mount namespaces`;
      return problem('BUSY', `${text}: ${namesOf(users)}`, { ...mount, users });
    }
    const found = await this.#found(() => this.users.usersOf(targetId, after.mountPath));
    const users = found.filter(({ pid }) => pid !== after.daemonPid);
    const by = users.length === 0 ? await this.#byNobodyFound(after) : ` by ${namesOf(users)}`;
    const text = `${after.mountPath} is in use${by}${after.hung ? hangOf(after.daemonPid) : ''}`;
    return problem('BUSY', `${text}${lossOf(mount)}`, { ...mount, users });
  }

  async #byNobodyFound({ hung, record }: Survey): Promise<string> {
    if (hung) return '';
    return (await this.observations.hasHangingQuestion(record.targetId))
      ? ' by a question of dms-server, which hangs until the mount answers it'
      : ' by a process that could not be found';
  }

  /**
   * A namespace that is made copies all mounts, and many end at once, as those in which directories are changed (see
   * bin/bare-directory.sh).
   */
  async #usersThatStay(targetId: string, mountedAs: MountedAs): Promise<readonly MountUser[]> {
    const isOver = async (): Promise<true | null> => !(await this.copies.isLeft(targetId, mountedAs)) || null;
    return (await waitUntil(COPIES_MS, isOver)) === true
      ? []
      : await this.#usersElsewhere(targetId, mountedAs);
  }

  /** Other mount namespaces in which the file system lives on: there it is not unmounted by us. */
  async #usersElsewhere(targetId: string, mountedAs: MountedAs): Promise<readonly MountUser[]> {
    const users = await this.copies.left(targetId, mountedAs);
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

/** That a flush has failed is said also while the mount stays. */
function lossOf({ flush_problem: why }: MountObservation): string {
  return why === undefined ? '' : `; data may be lost, because a flush failed: ${why}`;
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
