import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { RareWarnings } from '@app/platform';
import { FailoverPool } from '../ledger/failover-pool';
import { NodeViewsService } from '../nodes/node-views.service';
import { type ClientSettings, SETTINGS } from '../settings/client.settings';
import { ReconcilerService } from './reconciler.service';

/** Several changes of one node within this time are looked at once. */
const GATHER_MS = 500;

/**
 * Reconciles at start, on a timer, and when the ledger may have lost commits; and a node when its hello says that something
 * changed.
 */
@Injectable()
export class ReconcileTimer implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #log = new Logger(ReconcileTimer.name);
  readonly #warnings = new RareWarnings(this.#log);
  readonly #due = new Map<string, NodeJS.Timeout>();
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly reconciler: ReconcilerService,
    private readonly views: NodeViewsService,
    @Inject(SETTINGS) private readonly settings: ClientSettings,
    private readonly databases: FailoverPool,
  ) {}

  onApplicationBootstrap(): void {
    this.views.onChange((host) => this.#soon(host));
    this.databases.onFailover(() => {
      this.views.doubtLedger();
      this.#run(null);
    });
    if (this.settings.reconcileIntervalMs === 0) return;
    this.#timer = setInterval(() => this.#run(null), this.settings.reconcileIntervalMs);
    this.#run(null);
  }

  onApplicationShutdown(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    for (const timer of this.#due.values()) clearTimeout(timer);
  }

  #soon(host: string): void {
    if (this.#due.has(host)) return;
    const look = (): void => {
      this.#due.delete(host);
      this.#run(host);
    };
    this.#due.set(host, setTimeout(look, GATHER_MS));
  }

  #run(host: string | null): void {
    // Where another process compares the node just now there is nothing to wait for.
    const beganAt = performance.now();
    this.reconciler.reconcile(host, false, 'service').then(
      ({ hosts, unreachable, differences }) => {
        const skipped = differences.filter(({ outcome }) => outcome === 'skipped');
        const open = new Set([...unreachable, ...skipped].map((of) => of.host));
        for (const name of hosts) if (!open.has(name)) this.views.compared(name, beganAt);
        for (const node of unreachable) {
          // What an operator has to mend.
          const level = node.error_code === 'CONFLICT' ? 'warn' : 'debug';
          this.#log[level]({ msg: 'A node could not be compared', ...node });
        }
      },
      (error: unknown) => {
        if (DmsError.from(error).code !== 'NOT_FOUND')
          this.#warnings.warn('Reconciling failed', error as Error);
      },
    );
  }
}
