import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { FenceService } from '../fence/fence.service';
import { HEARTBEAT, type Heartbeat, type HeartbeatAnswer } from '../kernel/heartbeat.interface';
import { MOUNT_TABLE, type MountEntry, type MountTable } from '../kernel/mount-table.interface';
import { NFS_REPLIES, type NfsReplies } from '../kernel/nfs-replies.interface';
import { TargetQueues } from '../mounts/target-queue';
import { namedLimit } from '../providers/deadlines';
import { isNfs, serverOf } from '../providers/nfs/nfs-server';
import { ServerBreaker } from '../providers/nfs/server-breaker';
import { SlowServers } from '../providers/nfs/slow-servers';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { MountDoubts } from './mount-doubts';

const ROUND_MS = 1_000;
const BETWEEN_QUESTIONS_MS = 4_000;

interface Watched {
  readonly targetId: string;
  readonly mountPath: string;
  readonly mntId: number;
}

/**
 * Notices that an NFS server does not answer any more, or knows a mount's handle no more. Its mounts are asked one after
 * the other, so that a dead server holds one child and no more; each server by itself.
 *
 * What gave no good answer is in doubt: the watch tells it, and a fence finds out what it is. When the server answers
 * again, so do the mounts.
 */
@Injectable()
export class NfsWatch implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger(NfsWatch.name);
  /** When a target is to be asked next. */
  readonly #nextAt = new Map<string, number>();
  /** Servers that are being asked. */
  readonly #asking = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    @Inject(HEARTBEAT) private readonly heartbeat: Heartbeat,
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    private readonly breaker: ServerBreaker,
    private readonly doubts: MountDoubts,
    private readonly fences: FenceService,
    private readonly queues: TargetQueues,
    @Inject(NFS_REPLIES) private readonly replies: NfsReplies,
    private readonly slow: SlowServers,
  ) {}

  onApplicationBootstrap(): void {
    if (this.settings.nfsSilenceMs === 0) return;
    this.#timer = setInterval(() => {
      this.round().catch((error: unknown) => {
        this.#logger.warn({ msg: 'NFS servers could not be asked', err: error });
      });
    }, ROUND_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await Promise.all(this.#asking.values());
  }

  /** Asks the servers of mounts whose turn it is, and waits for none of them. */
  async round(): Promise<void> {
    const servers = await this.#mountsByServer();
    const known = new Set([...servers.values()].flat().map(({ targetId }) => targetId));
    this.doubts.keep(known);
    for (const targetId of this.#nextAt.keys()) if (!known.has(targetId)) this.#nextAt.delete(targetId);
    for (const [server, mounts] of servers) {
      if (this.#asking.has(server)) continue;
      const asked = this.#ask(server, mounts)
        .catch((error: unknown) => {
          this.#logger.warn({ msg: 'An NFS server could not be asked', server, err: error });
        })
        .finally(() => this.#asking.delete(server));
      this.#asking.set(server, asked);
    }
  }

  /** Resolves when those that are being asked have answered, or have had their time. */
  async settled(): Promise<void> {
    await Promise.all(this.#asking.values());
  }

  async #mountsByServer(): Promise<Map<string, Watched[]>> {
    const servers = new Map<string, Watched[]>();
    const records = this.fences.records().filter(({ mountedAs }) => mountedAs?.type === 'nfs');
    if (records.length === 0) return servers;
    const layers = new Map<number, MountEntry>();
    for (const layer of await this.table.read()) if (isNfs(layer)) layers.set(layer.mntId, layer);
    for (const { targetId, mountedAs } of records) {
      const layer = layers.get(mountedAs?.mntId ?? -1);
      if (layer === undefined || layer.mountPath !== mountedAs?.mountPath) continue;
      const server = serverOf(layer.source, layer.superOptions).name;
      const mounts = servers.get(server) ?? [];
      mounts.push({ targetId, mountPath: layer.mountPath, mntId: layer.mntId });
      servers.set(server, mounts);
    }
    return servers;
  }

  /** Until one does not answer: then its server does not, and the others are not asked. */
  async #ask(server: string, mounts: readonly Watched[]): Promise<void> {
    for (const mount of mounts) {
      const { targetId, mntId } = mount;
      const asked = performance.now();
      if (this.#stopped || (this.#nextAt.get(targetId) ?? 0) > asked || this.queues.isBusy(targetId))
        continue;
      const answer = await this.#answerOf(server, mount);
      // A command that came meanwhile may have changed everything.
      if (answer === 'withdrawn' || this.fences.recordOf(targetId).mountedAs?.mntId !== mntId) continue;
      if (answer === 'silent') {
        this.breaker.noteSilence(server);
        for (const other of mounts) this.#doubt(other);
        return;
      }
      this.#nextAt.set(targetId, asked + BETWEEN_QUESTIONS_MS);
      if (answer === 'answers') this.#well(server, mount);
      else this.#doubt(mount);
    }
  }

  /** A server that still replies when the time is over is slow, not silent. */
  async #answerOf(server: string, { targetId, mountPath }: Watched): Promise<HeartbeatAnswer> {
    const { nfsSilenceMs } = this.settings;
    const { result, isAnswering } = await this.replies.during(mountPath, nfsSilenceMs, () =>
      this.heartbeat.ask(targetId, mountPath, nfsSilenceMs),
    );
    if (result === 'answers') this.slow.noteTimely(server);
    if (result !== 'silent' || !(await isAnswering())) return result;
    this.slow.noteSlow(server, mountPath, namedLimit('DMS_NFS_SILENCE', nfsSilenceMs));
    return 'answers';
  }

  /** What is in doubt is asked again in the next round. */
  #doubt({ targetId, mntId }: Watched): void {
    this.doubts.add(targetId, mntId);
    this.#nextAt.delete(targetId);
  }

  #well(server: string, { targetId }: Watched): void {
    this.breaker.noteAnswer(server);
    this.doubts.delete(targetId);
  }
}
