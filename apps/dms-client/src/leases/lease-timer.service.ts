import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RareWarnings } from '@app/platform';
import { type AmqpConnectionManager } from 'amqp-connection-manager';
import { BROKER } from '../nodes/broker.provider';
import { LeasesService } from './leases.service';

/** A third of the silence that counts as time without service. */
const BEAT_MS = 2_000;

/** Says every two seconds that leases can be renewed, and then lets those expire that were not; in every dms-client. */
@Injectable()
export class LeaseTimer implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #log = new Logger(LeaseTimer.name);
  readonly #warnings = new RareWarnings(this.#log);
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | null = null;

  constructor(
    @Inject(BROKER) private readonly broker: AmqpConnectionManager,
    private readonly leases: LeasesService,
  ) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => {
      this.#round ??= this.#beat().finally(() => (this.#round = null));
    }, BEAT_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
  }

  /** Never rejects: without database or broker there is no service, and that is what is meant. */
  async #beat(): Promise<void> {
    if (!this.broker.isConnected()) return;
    try {
      await this.leases.expire();
    } catch (error) {
      this.#warnings.warn('Leases could not be looked at', error as Error);
    }
  }
}
