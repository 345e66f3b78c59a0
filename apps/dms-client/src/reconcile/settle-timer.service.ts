import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RareWarnings } from '@app/platform';
import { keyText, type TargetKey } from '../ledger/target-key';
import { TargetCoordinator } from '../mounts/target-coordinator.service';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { OpenTargetsRepository } from './open-targets.repository';

const RENEW_INTERVAL_MS = 3_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

/** What is left open (a busy unmount, an answer that was lost, a process that died) is looked at until it is settled. */
@Injectable()
export class SettleTimer implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #warnings = new RareWarnings(new Logger(SettleTimer.name));
  readonly #retries = new Map<string, { notBefore: number; delayMs: number }>();
  readonly #timers: NodeJS.Timeout[] = [];
  #round: Promise<void> | null = null;

  constructor(
    private readonly targets: OpenTargetsRepository,
    private readonly coordinator: TargetCoordinator,
    @Inject(SETTINGS) private readonly settings: ClientSettings,
  ) {}

  onApplicationBootstrap(): void {
    this.#every(RENEW_INTERVAL_MS, () => this.targets.renew(this.coordinator.liveOperations()));
    if (this.settings.settleIntervalMs > 0)
      this.#every(this.settings.settleIntervalMs, () => this.settleOpen());
  }

  async onApplicationShutdown(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#round;
  }

  /** Looks once for what is left open and settles it, each target by itself; those that failed of late are let be. */
  async settleOpen(): Promise<void> {
    if (this.#round !== null) return this.#round;
    this.#round = this.#settleOpen().finally(() => (this.#round = null));
    return this.#round;
  }

  async #settleOpen(): Promise<void> {
    const open = await this.targets.find(this.settings.claimTtlMs);
    const known = new Set(open.map(keyText));
    for (const key of this.#retries.keys()) if (!known.has(key)) this.#retries.delete(key);
    const due = open.filter((key) => (this.#retries.get(keyText(key))?.notBefore ?? 0) <= performance.now());
    // Not awaited together: a node that does not answer must not hold up the others' next round.
    for (const key of due) void this.#settle(key);
  }

  async #settle(key: TargetKey): Promise<void> {
    const text = keyText(key);
    const delayMs = Math.min((this.#retries.get(text)?.delayMs ?? FIRST_RETRY_MS / 2) * 2, LONGEST_RETRY_MS);
    this.#retries.set(text, { notBefore: Infinity, delayMs });
    const atRest = await this.coordinator.settle(key);
    if (atRest) this.#retries.delete(text);
    else this.#retries.set(text, { notBefore: performance.now() + delayMs, delayMs });
  }

  #every(intervalMs: number, work: () => Promise<void>): void {
    const run = (): void => {
      work().catch((error: unknown) =>
        this.#warnings.warn('What is left open could not be looked at', error as Error),
      );
    };
    this.#timers.push(setInterval(run, intervalMs));
  }
}
