import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { type NodeEvent, type NodeEventKind, nodeEventRoutingKey } from '@app/contracts';
import { happened } from '@app/platform';
import { FenceService } from '../fence/fence.service';
import { type MountedAs, type TargetRecord } from '../fence/target-record';
import { Announcements } from '../hello/announcements.service';
import { TroubledMounts } from '../hello/troubled-mounts';
import { MOUNT_TABLE_CHANGES, type MountTableChanges } from '../kernel/mount-table-changes.interface';
import { MOUNT_TABLE, type MountEntry, type MountTable } from '../kernel/mount-table.interface';
import { HungMounts } from '../mounts/hung-mounts';
import { TargetQueues } from '../mounts/target-queue';
import { type ProcessIdentity } from '../processes/process-identity';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { DaemonEnds } from './daemon-ends';
import { DAEMON_WATCH, type DaemonWatch } from './daemon-watch.interface';
import { MountDoubts } from './mount-doubts';
import { hasDaemon, type Sight, sightOf } from './sight';

/** What happens to a mount is to be noticed within two seconds. */
const ROUND_MS = 1_000;
/** Changes come in crowds: one look is enough for those of this time. */
const CROWD_MS = 50;

/** Where events go. */
export type Announcer = Pick<Announcements, 'publish'>;

/**
 * Notices that a mount of ours vanished, was replaced, or lost its FUSE daemon, and says so once. A round comes every
 * second, and at once when the mount table has changed or a daemon has ended; it reads the table once and looks at the process of each daemon;
 * it touches no mount and starts no child.
 *
 * What was said is remembered rather than what is to be said: an event that the broker did not take is said in the next
 * round if it is still true, and nothing can pile up.
 */
@Injectable()
export class WatchService implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger(WatchService.name);
  readonly #told = new Map<string, Sight>();
  readonly #daemons = new Map<string, { mntId: number; epoch: number; identity: ProcessIdentity }>();
  #begun = false;
  #stopped = false;
  /** Something changed while a round was under way. */
  #hurried = false;
  #timer: NodeJS.Timeout | null = null;
  #round: Promise<void> = Promise.resolve();

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    @Inject(DAEMON_WATCH) private readonly daemons: DaemonWatch,
    private readonly fences: FenceService,
    private readonly queues: TargetQueues,
    private readonly hung: HungMounts,
    private readonly doubts: MountDoubts,
    private readonly troubled: TroubledMounts,
    @Inject(MOUNT_TABLE_CHANGES) private readonly changes: MountTableChanges,
    @Inject(DaemonEnds) private readonly ends: Pick<DaemonEnds, 'begin' | 'end'>,
    @Inject(Announcements) private readonly announcer: Announcer,
  ) {}

  onApplicationBootstrap(): void {
    this.changes.begin(() => this.#hurry());
    void this.ends.begin(() => this.#hurry());
    this.#next(0);
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    this.changes.end();
    this.ends.end();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#round;
  }

  /** One round. What is wrong at the first one is said, what is well is not news. */
  async look(): Promise<void> {
    // Read before the table, so that a command that ends meanwhile cannot make an older table look like news.
    const records = this.fences.records().filter((record) => this.#concerns(record));
    if (records.length > 0) {
      const layers = byPath(await this.table.read());
      for (const record of records) await this.#compare(record, layers);
    }
    this.#begun = true;
  }

  #concerns({ targetId, mountedAs }: TargetRecord): boolean {
    return (mountedAs !== null || this.#told.has(targetId)) && !this.queues.isBusy(targetId);
  }

  async #compare(record: TargetRecord, layers: ReadonlyMap<string, readonly MountEntry[]>): Promise<void> {
    const { targetId, mountedAs } = record;
    const told = this.#told.get(targetId);
    if (mountedAs === null) {
      const isNews = told !== undefined && told.kind !== 'vanished' && this.#isQuiet(record);
      if (isNews) await this.#say('unmounted', record, told);
      if (this.#isQuiet(record)) this.#forget(targetId);
      return;
    }
    const well = hasDaemon(mountedAs)
      ? await this.#daemonWell(record, mountedAs)
      : this.#answersAsFarAsKnown(targetId, mountedAs);
    const sight = sightOf(mountedAs, layers.get(mountedAs.mountPath) ?? [], well);
    if (sight === null || !this.#isQuiet(record)) return;
    this.#noteTrouble(record, sight);
    if (told?.kind === sight.kind && told.mntId === sight.mntId) return;
    if (this.#begun || sight.kind !== 'mounted') await this.#say(sight.kind, record, sight);
    this.#told.set(targetId, sight);
    if (sight.kind === 'broken' && well === false && hasDaemon(mountedAs))
      happened({ what: 'fuse_process_failed', targetId, how: 'ended' });
  }

  /** No command of the target came since the record was read. */
  #isQuiet(record: TargetRecord): boolean {
    return !this.queues.isBusy(record.targetId) && this.fences.recordOf(record.targetId) === record;
  }

  /** Null where it is not known which process serves the mount: then there is nothing to be said. */
  async #daemonWell({ targetId, epoch }: TargetRecord, { mntId }: MountedAs): Promise<boolean | null> {
    if (mntId === null) return null;
    const known = this.#daemons.get(targetId);
    const isKnown = known?.mntId === mntId && known.epoch === epoch;
    if (isKnown && (await this.daemons.lives(known.identity)))
      return !this.hung.has(targetId, known.identity.pid);
    // The id of a mount is given away again at once, and Python programs send no epochs: whether it is still the same
    // mount only the record of its daemon says.
    const identity = await this.daemons.identityOf(targetId);
    if (identity === null) return isKnown ? false : null;
    this.#daemons.set(targetId, { mntId, epoch, identity });
    return !this.hung.has(targetId, identity.pid) && (await this.daemons.lives(identity));
  }

  /** False where a mount without a daemon gave no good answer when it was asked; null where nothing is known. */
  #answersAsFarAsKnown(targetId: string, { mntId }: MountedAs): false | null {
    return this.doubts.has(targetId, mntId) ? false : null;
  }

  /** @throws Error if the broker did not take it */
  async #say(kind: NodeEventKind, { targetId, epoch }: TargetRecord, sight: Sight): Promise<void> {
    const event: NodeEvent = {
      event: kind,
      node: this.settings.nodeId,
      incarnation: this.fences.incarnation,
      epoch,
      mnt_id: sight.mntId,
      backup_target_id: targetId,
      mount_path: sight.mountPath,
      at: new Date().toISOString(),
    };
    await this.announcer.publish(nodeEventRoutingKey(kind, event.node), event);
    happened({ what: 'mount_seen', kind });
    if (kind === 'vanished' || kind === 'broken') this.#logger.warn({ msg: `A mount is ${kind}`, ...event });
  }

  /** Hellos repeat it while it lasts, also where the broker does not take the event now. */
  #noteTrouble({ targetId, epoch }: TargetRecord, { kind, mntId, mountPath }: Sight): void {
    if (kind === 'mounted') return this.troubled.delete(targetId);
    const at = new Date().toISOString();
    this.troubled.set({
      event: kind,
      epoch,
      mnt_id: mntId,
      backup_target_id: targetId,
      mount_path: mountPath,
      at,
    });
  }

  #forget(targetId: string): void {
    this.troubled.delete(targetId);
    this.#told.delete(targetId);
    this.#daemons.delete(targetId);
  }

  /** Has the next round begin soon; while one is under way, it may have looked already: another one follows. */
  #hurry(): void {
    if (this.#timer === null) {
      this.#hurried = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#next(CROWD_MS);
  }

  #next(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#round = this.look()
        .catch((error: unknown) => {
          // Mostly the broker, which is reported by who keeps the connection; the next round says it again.
          this.#logger.debug({ msg: 'A round of the watch was cut short', err: error });
        })
        .then(() => {
          const delay = this.#hurried ? CROWD_MS : ROUND_MS;
          this.#hurried = false;
          this.#next(delay);
        });
    }, delayMs);
  }
}

function byPath(table: readonly MountEntry[]): Map<string, MountEntry[]> {
  const paths = new Map<string, MountEntry[]>();
  for (const layer of table) {
    const layers = paths.get(layer.mountPath);
    if (layers === undefined) paths.set(layer.mountPath, [layer]);
    else layers.push(layer);
  }
  return paths;
}
