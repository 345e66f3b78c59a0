import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { happened } from '@app/platform';
import { FenceService } from '../fence/fence.service';
import { type TargetRecord } from '../fence/target-record';
import { FUSE_CONNECTIONS, type FuseConnections } from '../kernel/fuse-connections.interface';
import { HEARTBEAT, type Heartbeat, type HeartbeatAnswer } from '../kernel/heartbeat.interface';
import { MOUNT_TABLE, type MountTable } from '../kernel/mount-table.interface';
import { HungMounts } from '../mounts/hung-mounts';
import { TargetQueues } from '../mounts/target-queue';
import { type ProcessIdentity } from '../processes/process-identity';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { DAEMON_WATCH, type DaemonWatch } from './daemon-watch.interface';
import { hasDaemon } from './sight';
import { isHang, lengthened, type Silence } from './silence';

const ROUND_MS = 1_000;
const BETWEEN_QUESTIONS_MS = 4_000;

interface Pulse {
  /** The daemon that was asked last; 0 before the first question. */
  pid: number;
  silence: Silence | null;
  nextAt: number;
  asking: boolean;
}

/**
 * Finds FUSE daemons that hang: alive, mounted, and without an answer for `DMS_HANG_TIMEOUT`. The watch tells of them,
 * and where `DMS_FUSE_ABORT` says so their connections are cut, so that whoever waits gets an error.
 */
@Injectable()
export class HeartbeatService implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger(HeartbeatService.name);
  readonly #pulses = new Map<string, Pulse>();
  readonly #asking = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(HEARTBEAT) private readonly heartbeat: Heartbeat,
    @Inject(FUSE_CONNECTIONS) private readonly connections: Pick<FuseConnections, 'abort'>,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    @Inject(DAEMON_WATCH) private readonly daemons: DaemonWatch,
    private readonly hung: HungMounts,
    private readonly fences: FenceService,
    private readonly queues: TargetQueues,
  ) {}

  onApplicationBootstrap(): void {
    if (this.settings.hangTimeoutMs === 0) return;
    this.#timer = setInterval(() => void this.round(), ROUND_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await Promise.all(this.#asking);
  }

  /** Asks the daemons whose turn it is, each for itself: one that hangs holds up no other. */
  async round(now = performance.now()): Promise<void> {
    const begun: Promise<void>[] = [];
    const seen = new Set<string>();
    for (const record of this.fences.records()) {
      const pulse = this.#pulseOf(record);
      if (pulse === null) continue;
      seen.add(record.targetId);
      if (pulse.asking || now < pulse.nextAt || this.queues.isChanging(record.targetId)) continue;
      const asked = this.#ask(record, pulse);
      this.#asking.add(asked);
      begun.push(asked.finally(() => this.#asking.delete(asked)));
    }
    for (const targetId of this.#pulses.keys()) if (!seen.has(targetId)) this.#forget(targetId);
    await Promise.all(begun);
  }

  /** Null where there is no FUSE mount that is known to stand. */
  #pulseOf({ targetId, mountedAs }: TargetRecord): Pulse | null {
    if (mountedAs === null || !hasDaemon(mountedAs) || mountedAs.mntId === null) return null;
    const pulse = this.#pulses.get(targetId) ?? { pid: 0, silence: null, nextAt: 0, asking: false };
    this.#pulses.set(targetId, pulse);
    return pulse;
  }

  #forget(targetId: string): void {
    this.#pulses.delete(targetId);
    this.hung.delete(targetId);
  }

  async #ask(record: TargetRecord, pulse: Pulse): Promise<void> {
    const { targetId, mountedAs } = record;
    if (mountedAs === null) return;
    pulse.asking = true;
    const asked = performance.now();
    try {
      const daemon = await this.daemons.identityOf(targetId);
      // Without the mount the directory below it would answer.
      const layers = await this.table.layersAt(mountedAs.mountPath);
      if (daemon === null || !layers.some(({ mntId }) => mntId === mountedAs.mntId)) return;
      if (pulse.pid !== daemon.pid) {
        Object.assign(pulse, { pid: daemon.pid, silence: null });
        this.hung.delete(targetId);
      }
      // Two questions have to go unanswered.
      const limitMs = this.settings.hangTimeoutMs / 2;
      // A command that came meanwhile must not find the mount in use by a question.
      if (this.queues.isChanging(targetId)) return;
      const answer = await this.heartbeat.ask(targetId, mountedAs.mountPath, limitMs);
      // A command that came meanwhile may have taken the mount away: the answer was of another one then. Looks do not:
      // fences of a mount that gives no answer come one after the other, and must not hide that its daemon hangs.
      const stillServes = (await this.daemons.identityOf(targetId))?.pid === daemon.pid;
      if (answer === 'withdrawn' || !stillServes || this.queues.isChanging(targetId)) return;
      // It has answered. That one which hung is well again is believed at rest only: its unmount may come next.
      if (answer === 'answers' && this.queues.isBusy(targetId)) {
        pulse.silence = null;
        return;
      }
      if (answer === 'answers') this.#well(targetId, pulse, asked);
      else await this.#notWell(record, pulse, answer, asked, daemon);
    } catch (error) {
      this.#logger.warn({ msg: 'A FUSE daemon could not be asked', targetId, err: error });
    } finally {
      pulse.asking = false;
    }
  }

  #well(targetId: string, pulse: Pulse, asked: number): void {
    pulse.silence = null;
    pulse.nextAt = asked + BETWEEN_QUESTIONS_MS;
    if (!this.hung.has(targetId, pulse.pid)) return;
    this.#logger.warn({ msg: 'A FUSE daemon that hung answers again', targetId });
    this.hung.delete(targetId);
  }

  async #notWell(
    record: TargetRecord,
    pulse: Pulse,
    answer: Exclude<HeartbeatAnswer, 'answers' | 'withdrawn'>,
    asked: number,
    daemon: ProcessIdentity,
  ): Promise<void> {
    const { targetId } = record;
    const now = performance.now();
    pulse.silence = lengthened(pulse.silence, asked, now, await this.daemons.cpuTicksOf(daemon));
    const isHung = answer === 'dead' || isHang(pulse.silence, this.settings.hangTimeoutMs, now);
    if (!isHung || this.hung.has(targetId, pulse.pid)) return;
    this.hung.add(targetId, pulse.pid);
    const how = answer === 'dead' ? 'ended' : 'hung';
    happened({ what: 'fuse_process_failed', targetId, how });
    const msg = answer === 'dead' ? 'The connection of a FUSE mount is cut' : 'A FUSE daemon hangs';
    this.#logger.error({ msg, targetId, pid: pulse.pid });
    if (answer === 'silent' && this.settings.fuseAbort) await this.#abort(record);
  }

  /** Cuts the connection of the very mount that was found to hang, if it still stands. */
  async #abort({ targetId, mountedAs }: TargetRecord): Promise<void> {
    if (mountedAs === null) return;
    const layers = await this.table.layersAt(mountedAs.mountPath);
    const layer = layers.find(({ mntId }) => mntId === mountedAs.mntId);
    if (layer === undefined || layer.device !== mountedAs.device) return;
    await this.connections.abort(targetId, layer.device);
    this.#logger.error({ msg: 'The FUSE connection was cut, as DMS_FUSE_ABORT says', targetId });
  }
}
