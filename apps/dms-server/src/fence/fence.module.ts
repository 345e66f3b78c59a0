import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { SETTINGS, type ServerSettings } from '../settings/server.settings';
import { readBootId } from './boot-id';
import { FENCE_MEMORY } from './fence-memory.interface';
import { FileFenceMemory } from './fence-memory.repository';
import { FenceService } from './fence.service';
import { ServerLock } from './server-lock';

/** The memory is read only under the lock; the lock goes back when all else has ended. */
@Module({
  providers: [
    {
      provide: ServerLock,
      useFactory: ({ runDir }: ServerSettings) => ServerLock.acquire(runDir, readBootId()),
      inject: [SETTINGS],
    },
    {
      provide: FENCE_MEMORY,
      useFactory: ({ runDir }: ServerSettings, _lock: ServerLock) =>
        new FileFenceMemory(runDir, readBootId()),
      inject: [SETTINGS, ServerLock],
    },
    FenceService,
  ],
  exports: [FENCE_MEMORY, FenceService],
})
export class FenceModule implements OnApplicationShutdown {
  constructor(@Inject(ServerLock) private readonly lock: ServerLock) {}

  onApplicationShutdown(): void {
    this.lock.release();
  }
}
