import { type FuseProcess, type TargetType } from '@app/contracts';
import { type MountedAs } from '../fence/target-record';
import { type MountEntry } from '../kernel/mount-table.interface';
import {
  type Deadline,
  type MountPlan,
  type TargetProvider,
  type UnmountPlan,
  type UnmountResult,
} from '../providers/target-provider.interface';
import { type FakeKernel } from './fake-kernel';

/** Mounts in the fake kernel; tests decide what goes wrong. */
export class FakeProvider implements TargetProvider {
  /** Runs in the middle of each mount and unmount. */
  pause: () => Promise<void> = () => Promise.resolve();
  mountError: Error | null = null;
  /** With `mountError`: the layer was made before. */
  leaveLayer = false;
  unmountResult: UnmountResult = { kind: 'gone', flushVerified: null, detail: null, everywhere: false };
  /** What an unmount takes away. */
  takeAway = true;
  /** What a flush says before an unmount goes on; null: it is clean, or was told before. */
  flushError: string | null = null;
  /** What the end of a daemon says that ended while nobody waited for it. */
  unreadLoss: string | null = null;
  readonly daemons = new Map<string, number>();

  constructor(
    readonly type: TargetType,
    private readonly kernel: FakeKernel,
  ) {}

  async mount(
    plan: MountPlan,
    makeMountpoint: () => Promise<void>,
    _deadline: Deadline,
  ): Promise<MountEntry> {
    await makeMountpoint();
    this.kernel.log.push(`mount ${plan.targetId} at ${plan.mountPath}`);
    await this.pause();
    if (this.mountError !== null && !this.leaveLayer) throw this.mountError;
    const fstype = this.type === 's3' ? 'fuse.s3fs' : 'nfs4';
    const options = [plan.readOnly ? 'ro' : 'rw'];
    const layer = this.kernel.mountLayer(plan.mountPath, plan.source, { fstype, options });
    if (this.type === 's3') this.daemons.set(plan.targetId, 4711);
    if (this.mountError !== null) throw this.mountError;
    return layer;
  }

  async unmount(
    { targetId, mountedAs, flushFailed }: UnmountPlan,
    _deadline: Deadline,
  ): Promise<UnmountResult> {
    this.kernel.log.push(`unmount ${targetId}`);
    if (this.flushError !== null) await flushFailed?.(this.flushError);
    this.flushError = null;
    await this.pause();
    if (this.takeAway) {
      this.kernel.unmountAt(mountedAs.mountPath);
      this.daemons.delete(targetId);
    }
    return this.unmountResult;
  }

  clear(targetId: string): Promise<string | null> {
    this.kernel.log.push(`clear ${targetId}`);
    return Promise.resolve(this.unreadLoss);
  }

  daemonPid(targetId: string): Promise<number | null> {
    return Promise.resolve(this.daemons.get(targetId) ?? null);
  }

  /** The daemons, as the registry of FUSE processes lists them. */
  list(): Promise<FuseProcess[]> {
    const processes = [...this.daemons].map(([id, pid]) => ({
      backup_target_id: id,
      pid,
      alive: true,
      mount_path: this.kernel.layers.find(({ fstype }) => fstype.startsWith('fuse'))?.mountPath ?? '',
      started_at: '2026-01-01T00:00:00.000Z',
      rss_bytes: 16_777_216,
      cpu_percent: 0.5,
    }));
    return Promise.resolve(processes);
  }

  owns(layer: MountEntry, mountedAs: MountedAs): boolean {
    if (this.type === 's3') return mountedAs.mntId === null || layer.mntId === mountedAs.mntId;
    return layer.source === mountedAs.source;
  }
}
