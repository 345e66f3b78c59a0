import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnModuleDestroy,
} from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { errorBody } from '@app/platform';
import { type NextFunction, type Request, type Response } from 'express';
import { TargetCoordinator } from '../mounts/target-coordinator.service';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';

/** Health and metrics are answered to the end: they tell that the program stops. */
const ANSWERED_TO_THE_END = /^\/(health|metrics)(\/|$)/i;
/** For so long new requests are answered by 503 at least: a connection that is in use hears that it closes. */
const SHORTEST_STOP_MS = 1_000;
/** Of the grace period, what is left for the last answers. */
const LAST_ANSWERS_MS = 1_000;
const POLL_MS = 20;

/**
 * Ends the facade without losing a request: after the signal those that came before it are carried out, new ones are
 * refused, and every answer closes its connection.
 */
@Injectable()
export class StopService implements OnModuleDestroy, BeforeApplicationShutdown {
  readonly #log = new Logger(StopService.name);
  /** Answers that are owed. */
  readonly #open = new Set<Response>();
  #stopping = false;

  constructor(
    @Inject(TargetCoordinator)
    private readonly coordinator: Pick<TargetCoordinator, 'liveOperations' | 'giveUp'>,
    @Inject(SETTINGS) private readonly settings: Pick<ClientSettings, 'stopGraceMs'>,
  ) {}

  get isStopping(): boolean {
    return this.#stopping;
  }

  /** An Express middleware; errors go to the error filter. */
  readonly use = (request: Request, response: Response, next: NextFunction): void => {
    if (this.#stopping) {
      response.setHeader('Connection', 'close');
      if (!ANSWERED_TO_THE_END.test(request.path)) return next(stopped());
    }
    this.#open.add(response);
    response.once('close', () => this.#open.delete(response));
    next();
  };

  onModuleDestroy(): void {
    this.#stopping = true;
    for (const response of this.#open) if (!response.headersSent) response.setHeader('Connection', 'close');
  }

  /** Resolves when all that was begun has ended; what has not by the end of the grace period is answered TIMEOUT. */
  async beforeApplicationShutdown(): Promise<void> {
    const began = performance.now();
    const end = began + Math.max(this.settings.stopGraceMs - LAST_ANSWERS_MS, SHORTEST_STOP_MS);
    while (performance.now() < end) {
      if (performance.now() - began >= SHORTEST_STOP_MS && this.#isIdle) return;
      await sleep(POLL_MS);
    }
    if (this.#isIdle) return;
    const requests = this.coordinator.liveOperations().length;
    this.#log.warn({ msg: 'Requests did not end within DMS_STOP_GRACE; their outcome is unknown', requests });
    this.coordinator.giveUp(unfinished(), stopped());
    await sleep(POLL_MS);
    for (const response of this.#open) {
      if (!response.headersSent) response.status(unfinished().httpStatus).json(errorBody(unfinished()));
    }
    const last = performance.now() + LAST_ANSWERS_MS;
    while (this.#open.size > 0 && performance.now() < last) await sleep(POLL_MS);
    for (const response of this.#open) response.destroy();
  }

  get #isIdle(): boolean {
    return this.#open.size === 0 && this.coordinator.liveOperations().length === 0;
  }
}

function stopped(): DmsError {
  const text =
    'dms-client is being stopped and begins nothing new: nothing was done. Ask again, or another dms-client';
  return new DmsError('CLIENT_UNREACHABLE', text);
}

function unfinished(): DmsError {
  const text =
    'dms-client was stopped before the request had ended; its outcome is unknown and is being found out. Ask again';
  return new DmsError('TIMEOUT', text);
}
