import { Inject, Injectable, Logger } from '@nestjs/common';
import { FenceService } from '../fence/fence.service';
import { MOUNTPOINT_GUARD, type MountpointGuard } from '../kernel/mountpoint-guard.interface';
import { ObservationService } from './observation.service';

/** Clears up after a target whose mount was seen to be gone, however it went. */
@Injectable()
export class AbsenceService {
  readonly #logger = new Logger(AbsenceService.name);

  constructor(
    @Inject(MOUNTPOINT_GUARD) private readonly guard: MountpointGuard,
    private readonly observations: ObservationService,
    private readonly fences: FenceService,
  ) {}

  /**
   * Forgets the mount and its holders, remembers what the end of its daemon says of data that is not stored, and removes
   * what that left behind at once and its directory after the grace time. It never rejects: what cannot be removed is removed by the next mount or start.
   */
  async note(targetId: string): Promise<void> {
    const { mountedAs } = this.fences.recordOf(targetId);
    this.fences.noteAbsent(targetId);
    if (mountedAs === null) return;
    this.guard.removeLater(mountedAs.mountPath);
    try {
      const flushProblem = await this.observations
        .providerOf(mountedAs.type)
        .clear(targetId, mountedAs.mountPath);
      // Of a mount that was never seen to stand nobody was told.
      if (flushProblem !== null && mountedAs.mntId !== null) this.fences.note(targetId, { flushProblem });
    } catch (error) {
      this.#logger.warn({ msg: 'What a FUSE process left cannot be removed yet', targetId, err: error });
    }
  }
}
