import { type EnvelopeDto } from '@app/contracts';
import { CommandFactory } from '../../apps/dms-client/src/mounts/command.factory';
import { DecisionService } from '../../apps/dms-client/src/mounts/decision.service';
import { IntakeService } from '../../apps/dms-client/src/mounts/intake.service';
import { LeftoverOperations } from '../../apps/dms-client/src/mounts/leftover-operations';
import { ABANDONED_AFTER_MS } from '../../apps/dms-client/src/ledger/executing-operations';
import { ArrivalsRepository } from '../../apps/dms-client/src/ledger/arrivals.repository';
import { type FailoverPool } from '../../apps/dms-client/src/ledger/failover-pool';
import { unknownCommit } from '../../apps/dms-client/src/ledger/ledger-errors';
import { ObservedChanges } from '../../apps/dms-client/src/ledger/observed-changes';
import { untilCommitted } from '../../apps/dms-client/src/ledger/rolled-back';
import { MountsService } from '../../apps/dms-client/src/mounts/mounts.service';
import { SettlementService } from '../../apps/dms-client/src/mounts/settlement.service';
import { TargetCoordinator } from '../../apps/dms-client/src/mounts/target-coordinator.service';
import { TargetDriver } from '../../apps/dms-client/src/mounts/target-driver.service';
import { type HeldBindingsRepository } from '../../apps/dms-client/src/ledger/held-bindings.repository';
import { type TargetKey } from '../../apps/dms-client/src/ledger/target-key';
import { type TargetLedger } from '../../apps/dms-client/src/ledger/target-ledger';
import { LockService } from '../../apps/dms-client/src/locks/lock.service';
import { type TargetLeasesRepository } from '../../apps/dms-client/src/locks/target-leases.repository';
import { type NodeFactsRepository } from '../../apps/dms-client/src/nodes/node-facts.repository';
import { type NodeCommands } from '../../apps/dms-client/src/nodes/node-commands.service';
import { MountReports } from '../../apps/dms-client/src/nodes/mount-reports';
import { NodeLooksService } from '../../apps/dms-client/src/nodes/node-looks.service';
import { NodeViewsService } from '../../apps/dms-client/src/nodes/node-views.service';
import { type NodesRepository } from '../../apps/dms-client/src/nodes/nodes.repository';
import { type NodeLeaseRepository } from '../../apps/dms-client/src/reconcile/node-lease.repository';
import { type OpenTargetsRepository } from '../../apps/dms-client/src/reconcile/open-targets.repository';
import { ReconcilerService } from '../../apps/dms-client/src/reconcile/reconciler.service';
import { ReconcileTimer } from '../../apps/dms-client/src/reconcile/reconcile-timer.service';
import { SettleTimer } from '../../apps/dms-client/src/reconcile/settle-timer.service';
import { type ClientSettings } from '../../apps/dms-client/src/settings/client.settings';
import {
  type Defects,
  type Sent,
  spoilBody,
  spoilLocks,
  spoilOutcome,
  spoilSettlements,
  spoilTransaction,
  spoilView,
} from './defects';
import {
  type FakeDatabase,
  type FakeTransaction,
  isGone,
  isLeased,
  isUnanswered,
  type Session,
} from './fake-ledger';
import { HOST, TARGET } from './fake-node';
import { withMethods } from '../interleavings/gates';
import { type Network } from './network';

export const LEASE_MS = 10_000;
export const REQUEST_TIMEOUT_MS = 20_000;

const SETTINGS = {
  requestTimeoutMs: REQUEST_TIMEOUT_MS,
  lockTimeoutMs: 30_000,
  leaseMs: LEASE_MS,
  claimTtlMs: 20_000,
  settleIntervalMs: 5_000,
  reconcileIntervalMs: 10_000,
  mountBase: '/srv/mounts',
} as unknown as ClientSettings;

/** The database of a history loses no commit that it has confirmed. */
const NO_FAILOVER = { onFailover: () => undefined } as unknown as FailoverPool;

/** A dms-client: its services, wired by hand over the fakes of a history. */
export class ClientProcess {
  readonly views: NodeViewsService;
  readonly mounts: MountsService;
  lives = true;
  readonly session: Session;
  #lastSent: Sent | null = null;
  #pausedUntil = -Infinity;
  readonly #timers: { onApplicationBootstrap(): void; onApplicationShutdown(): unknown }[];

  constructor(
    private readonly database: FakeDatabase,
    network: Network,
    stored: NodesRepository,
    private readonly defects: Defects,
    /** The node of the database cluster that it is connected to. */
    writer = 0,
  ) {
    const { rowUnwritten, leaseByClock } = defects;
    this.session = {
      ...{ observed: new ObservedChanges(), writer, lives: () => this.lives },
      ...{ rowUnwritten, leaseByClock },
    };
    const ledger = this.#ledger();
    this.views = new NodeViewsService(stored);
    const nodes = this.#nodes(network);
    const locks = new LockService(this.#leases(), SETTINGS);
    spoilLocks(locks, defects);
    const settlements = new SettlementService();
    spoilSettlements(settlements, defects);
    const reports = new MountReports();
    const leftovers = new LeftoverOperations(SETTINGS);
    if (defects.leftoversUnended) leftovers.end = () => Promise.resolve();
    const decisions = new DecisionService(locks, new CommandFactory(SETTINGS), leftovers, reports, SETTINGS);
    const views = this.#believed();
    const driver = new TargetDriver(ledger, locks, views, decisions, settlements, nodes, SETTINGS);
    const coordinator = new TargetCoordinator(new IntakeService(ledger, views, reports), driver, {
      whileHeld: (work) => work(),
    });
    this.mounts = new MountsService(
      coordinator,
      this.views,
      this.#held(),
      this.#arrivals(),
      reports,
      SETTINGS,
    );
    const facts = this.#facts();
    const looks = new NodeLooksService(nodes, this.views);
    const reconciler = new ReconcilerService(this.#nodeLeases(), facts, looks, coordinator, ledger);
    this.#timers = [
      new SettleTimer(this.#openTargets(), coordinator, SETTINGS),
      new ReconcileTimer(reconciler, this.views, SETTINGS, NO_FAILOVER),
    ];
    for (const timer of this.#timers) timer.onApplicationBootstrap();
  }

  async atSending(body: Record<string, unknown>): Promise<Record<string, unknown>> {
    return spoilBody(body, this.defects, await this.views.view(HOST));
  }

  /** Nothing that it began goes on. */
  kill(): void {
    this.lives = false;
    for (const timer of this.#timers) void timer.onApplicationShutdown();
  }

  /** It goes on after `ms` as if nothing had been; what it asked for meanwhile waits. */
  pause(ms: number): void {
    this.#pausedUntil = this.database.time.now + ms;
  }

  /** What a process that is gone asks for is never answered. */
  async #whileLiving<T>(work: () => Promise<T>): Promise<T> {
    const never = new Promise<never>(() => undefined);
    if (!this.lives) return never;
    try {
      await this.#whilePaused();
      const result = await work();
      await this.#whilePaused();
      return this.lives ? result : await never;
    } catch (error) {
      if (!this.lives) return never;
      throw error;
    }
  }

  async #whilePaused(): Promise<void> {
    const { time } = this.database;
    if (this.#pausedUntil > time.now) await time.sleep(this.#pausedUntil - time.now);
  }

  #ledger(): TargetLedger {
    const { defects, database } = this;
    const once = <T>(key: TargetKey, work: (of: FakeTransaction) => Promise<T>): Promise<T> =>
      this.#whileLiving(() =>
        database.transaction(
          key,
          async (of) => {
            if (defects.slowTransaction) await database.time.sleep(1);
            const lastSent = this.#lastSent;
            this.#lastSent = null;
            return work(spoilTransaction(of, defects, lastSent));
          },
          this.session,
        ),
      );
    const transaction: typeof once = (key, work) =>
      defects.rollbackUnknown
        ? once(key, work).catch((error: unknown) => Promise.reject(unknownCommit(error)))
        : untilCommitted(() => once(key, work));
    return { transaction, onCommit: () => undefined } as unknown as TargetLedger;
  }

  #nodes(network: Network): NodeCommands {
    return {
      send: async (_host, body, deadlineMs) => {
        const { epoch, operation_id: operationId } = body.dms as EnvelopeDto;
        const outcome = await this.#whileLiving(() => network.send(this, body, deadlineMs));
        if (epoch > 0 && body.action !== 'probe') this.#lastSent = { epoch, operationId };
        return spoilOutcome(outcome, this.defects);
      },
    };
  }

  /** What requests and decisions go by. */
  #believed(): NodeViewsService {
    const { views, defects, database } = this;
    const spoiled = defects.memoryUnchecked === true || defects.silenceBelieved === true;
    if (!spoiled) return views;
    return withMethods(views, {
      view: async (host) => spoilView(await views.view(host), defects, database.stored.row.incarnation),
    });
  }

  #leases(): TargetLeasesRepository {
    const look = (): Promise<unknown> => this.#whileLiving(() => this.database.lookAtLease(this.session));
    const renew = async (_key: TargetKey, token: string): Promise<void> => {
      if (this.defects.renewalMissing) return;
      await this.#whileLiving(() => this.database.renew(token, this.session));
    };
    return { look, renew } as unknown as TargetLeasesRepository;
  }

  #arrivals(): ArrivalsRepository {
    const query = async (): Promise<unknown> => ({
      insertId: await this.#whileLiving(() => this.database.arrive()),
    });
    return new ArrivalsRepository({ query } as unknown as ConstructorParameters<
      typeof ArrivalsRepository
    >[0]);
  }

  #held(): HeldBindingsRepository {
    const isHeld = async (_key: TargetKey, jobid: number): Promise<boolean> => {
      const held = await this.#whileLiving(() => this.database.isHeld(jobid));
      return held || this.defects.answerUnchecked === true;
    };
    return { isHeld } as unknown as HeldBindingsRepository;
  }

  #openTargets(): OpenTargetsRepository {
    const { time } = this.database;
    const find = (claimTtlMs: number): Promise<TargetKey[]> => {
      const { row, bindings, operations } = this.database.stored;
      const { claimed, held } = this.database.count();
      const between = row.state !== 'ABSENT' && row.state !== 'MOUNTED' && row.state !== 'BROKEN';
      const open = between || (row.state !== 'ABSENT' && claimed + held === 0);
      // All are looked at in each round: that is what is observed.
      const abandoned = [...operations].filter(([id, operation]) =>
        isGone(id, operation, ABANDONED_AFTER_MS, this.session),
      );
      const unanswered = [...bindings.keys()].filter((jobid) =>
        isUnanswered(jobid, this.database.stored, claimTtlMs, this.session),
      );
      const free = !isLeased(this.database.stored, this.session, this.database);
      const found = (open && free) || abandoned.length > 0 || unanswered.length > 0;
      return Promise.resolve(found ? [{ host: HOST, targetId: TARGET }] : []);
    };
    const renew = (ids: readonly string[]): Promise<void> => {
      for (const id of ids) {
        const operation = this.database.stored.operations.get(id);
        if (operation !== undefined) operation.renewedAt = time.now;
      }
      return Promise.resolve();
    };
    return { find, renew } as unknown as OpenTargetsRepository;
  }

  #facts(): NodeFactsRepository {
    const mounts = (): Promise<unknown> => {
      const { row } = this.database.stored;
      const { state, epoch, mountPath, mntId, incarnation } = row;
      const held = this.database.count().held;
      return Promise.resolve(
        new Map([[TARGET, { targetId: TARGET, state, epoch, mountPath, mntId, incarnation, held }]]),
      );
    };
    return { mounts } as unknown as NodeFactsRepository;
  }

  /** Each process may compare: that only one does is economy, not safety. */
  #nodeLeases(): NodeLeaseRepository {
    const run = <T>(_host: string, work: () => Promise<T>): Promise<T> => work();
    return {
      run,
      hosts: () => Promise.resolve([HOST]),
      incomparable: () => Promise.resolve([]),
    } as unknown as NodeLeaseRepository;
  }
}
