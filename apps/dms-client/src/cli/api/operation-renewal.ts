import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { TargetCoordinator } from '../../mounts/target-coordinator.service';
import { OpenTargetsRepository } from '../../reconcile/open-targets.repository';

/** Well below the time after which a process that does not renew its operations is taken for gone. */
const INTERVAL_MS = 3_000;

/** Says that this process works on its operations, so that no dms-client ends them as left open. */
@Injectable()
export class OperationRenewal implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #log = new Logger(OperationRenewal.name);
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly operations: OpenTargetsRepository,
    private readonly coordinator: TargetCoordinator,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => {
      this.operations
        .renew(this.coordinator.liveOperations())
        .catch((error: unknown) =>
          this.#log.warn({ msg: 'The operations could not be renewed', err: error }),
        );
    }, INTERVAL_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.#timer);
  }
}
