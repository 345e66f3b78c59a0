import { Inject, Injectable, Logger } from '@nestjs/common';
import { FenceService } from '../fence/fence.service';
import { MOUNT_TABLE, type MountTable } from '../kernel/mount-table.interface';

/**
 * Remembers failed flushes with their targets. The kernel tells one only once, so that the next flush, of whichever mount
 * of the same file system, would seem to be clean. It stays with the target until it is mounted anew.
 */
@Injectable()
export class FlushFailures {
  readonly #logger = new Logger(FlushFailures.name);

  constructor(
    @Inject(MOUNT_TABLE) private readonly table: MountTable,
    private readonly fences: FenceService,
  ) {}

  /**
   * Marks a target and, while its mount stands, all others on the same device: it is not known whose data was lost. When
   * it is gone its device number may be another mount's already.
   */
  async note(targetId: string, reason: string): Promise<void> {
    this.fences.note(targetId, { flushProblem: reason });
    const own = this.fences.recordOf(targetId).mountedAs;
    if (own === null || own.device === null) return;
    const layers = (await this.table.read()).filter(({ device }) => device === own.device);
    const stands = layers.some(({ mntId, mountPath }) => mntId === own.mntId && mountPath === own.mountPath);
    if (!stands) return;
    for (const { targetId: other, mountedAs } of this.fences.records()) {
      const shares =
        other !== targetId &&
        layers.some(
          ({ mntId, mountPath }) => mntId === mountedAs?.mntId && mountPath === mountedAs.mountPath,
        );
      if (!shares) continue;
      this.#logger.warn({ msg: 'A flush failed that may have been of this target', targetId: other, reason });
      const flushProblem = `the flush of a mount of the same file system failed: ${reason}`;
      this.fences.note(other, { flushProblem });
    }
  }
}
