import { Inject, Injectable, Logger } from '@nestjs/common';
import { DmsError, type FuseProcess } from '@app/contracts';
import { FenceService } from '../fence/fence.service';
import { MOUNT_TABLE, type MountTable } from '../kernel/mount-table.interface';
import { MOUNT_USERS, type MountUsers } from '../kernel/mount-users.interface';
import { AbsenceService } from '../mounts/absence.service';
import { CopiedMounts } from '../mounts/copied-mounts';
import { FlushFailures } from '../mounts/flush-failures';
import { HungMounts } from '../mounts/hung-mounts';
import { ObservationService } from '../mounts/observation.service';
import { TargetQueues } from '../mounts/target-queue';
import { waitUntil } from '../processes/delay';
import { FuseProcessesService } from '../processes/fuse-processes.service';
import { deadlineIn } from '../providers/deadlines';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';

const SIGNAL_MS = 5_000;

/** What an operator on the node asks of the running server. Each answer is a sentence. */
@Injectable()
export class ControlService {
  readonly #logger = new Logger(ControlService.name);

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    @Inject(MOUNT_USERS) private readonly users: MountUsers,
    private readonly processes: FuseProcessesService,
    private readonly observations: ObservationService,
    private readonly queues: TargetQueues,
    private readonly fences: FenceService,
    private readonly hung: HungMounts,
    private readonly absence: AbsenceService,
    private readonly copies: CopiedMounts,
    private readonly flushFailures: FlushFailures,
  ) {}

  /**
   * Ends a FUSE process, in the line of its target's commands. Without force it is unmounted, so that it ends by itself
   * with all that it was given; with force it is ended by signals, and what it holds is lost. Whoever holds the mount
   * is told that it is gone, or broken.
   *
   * @throws DmsError NOT_FOUND if no FUSE process of ours has that pid, BUSY if the mount is in use,
   *   UNMOUNT_FAILED if the process lives on
   */
  async end(pid: number, force: boolean): Promise<string> {
    const known = (await this.processes.list()).find(
      (daemon) => daemon.pid === pid && daemon.alive && daemon.mount_path !== '',
    );
    if (known === undefined)
      throw new DmsError('NOT_FOUND', `No FUSE process of this node has the PID ${pid}.`);
    this.#logger.warn({
      msg: 'An operator ends a FUSE process',
      pid,
      targetId: known.backup_target_id,
      force,
    });
    return await this.queues.run(known.backup_target_id, () =>
      force ? this.#signal(known) : this.#unmount(known),
    );
  }

  /** Removes what dead FUSE processes left: PID files, records and logs. Those whose mount still stands are left. */
  async cleanUp(): Promise<string> {
    const dead = (await this.processes.list()).filter(({ alive }) => !alive);
    let removed = 0;
    for (const { backup_target_id: targetId, mount_path } of dead) {
      if (this.queues.isBusy(targetId)) continue;
      if (mount_path !== '' && (await this.table.layersAt(mount_path)).length > 0) continue;
      // What its end says of data that is not stored is for the job's unmount to tell.
      await this.absence.note(targetId);
      await this.processes.forget(targetId);
      removed += 1;
    }
    return `${removed} of ${dead.length} dead process(es) cleaned up`;
  }

  /**
   * Lets the next ledger that comes take this node over, with all that is mounted. Which that is nobody can say here.
   *
   * @throws DmsError INTERNAL if the node's memory cannot be written
   */
  forgetLedger(): string {
    const mounts = this.fences.records().filter(({ mountedAs }) => mountedAs !== null).length;
    const ledger = this.fences.forgetLedger();
    if (ledger === null) return 'This node remembers no ledger: the next one that comes is served';
    return `The ledger ${ledger} is forgotten: the next one that comes takes this node over, with ${mounts} mount(s)`;
  }

  async #unmount({ backup_target_id: targetId, pid, mount_path }: FuseProcess): Promise<string> {
    const { mountedAs } = this.fences.recordOf(targetId);
    if (mountedAs === null) {
      throw new DmsError(
        'CONFLICT',
        `The process ${pid} serves no mount that this server made: it takes --force.`,
      );
    }
    const hung = this.hung.has(targetId, pid);
    const deadline = deadlineIn(this.settings.unmountTimeoutMs);
    const layer = (await this.table.layersAt(mountedAs.mountPath)).at(-1);
    if (layer !== undefined) await this.copies.before(targetId, layer);
    const livesElsewhere = (): Promise<boolean> => this.copies.isLeft(targetId, mountedAs);
    // The job asks for its unmount later, and is to be told then.
    const flushFailed = (reason: string): Promise<void> => this.flushFailures.note(targetId, reason);
    const result = await this.observations
      .providerOf(mountedAs.type)
      .unmount({ targetId, mountedAs, hung, livesElsewhere, flushFailed }, deadline);
    if (result.kind === 'busy') {
      const users = (await this.users.usersOf(targetId, mount_path)).filter((user) => user.pid !== pid);
      const names = users.map((user) => `${user.command} (${user.pid}, ${user.path ?? ''})`).join(', ');
      throw new DmsError(
        'BUSY',
        `${mount_path} is in use${names === '' ? '' : ` by ${names}`}: it takes --force.`,
      );
    }
    if (result.kind === 'failed') throw new DmsError('UNMOUNT_FAILED', result.reason);
    this.copies.forget(targetId);
    await this.absence.note(targetId);
    const flush =
      result.flushVerified === true ? 'it has flushed' : (result.detail ?? 'its flush is not known');
    return `${mount_path} is unmounted and the process ${pid} has ended; ${flush}`;
  }

  async #signal({ backup_target_id: targetId, pid, mount_path }: FuseProcess): Promise<string> {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await this.processes.terminate(targetId, mount_path, signal);
      const gone = (): Promise<true | null> =>
        this.processes.isGone(targetId, mount_path).then((isGone) => isGone || null);
      if ((await waitUntil(SIGNAL_MS, gone)) !== null) return `The process ${pid} was ended by ${signal}`;
    }
    throw new DmsError('UNMOUNT_FAILED', `The process ${pid} does not end, not even by SIGKILL.`);
  }
}
