import { randomUUID } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import {
  DmsError,
  type IncomparableNodeDto,
  type MountState,
  type NodeDifferenceDto,
  type ReconciledDifferenceDto,
  type ReconcileOutcome,
  type ReconcileResponseDto,
} from '@app/contracts';
import { boundedMap, currentRequest, happened, RareWarnings } from '@app/platform';
import { TargetLedger } from '../ledger/target-ledger';
import { type TargetKey } from '../ledger/target-key';
import { TargetCoordinator } from '../mounts/target-coordinator.service';
import { type Asker, differencesOf, isOnlyTold, ofThisLedger } from '../nodes/differences';
import { NodeFactsRepository, UNWRITTEN_LIMIT } from '../nodes/node-facts.repository';
import { NodeLooksService } from '../nodes/node-looks.service';
import { isOther, otherLedger } from '../nodes/other-ledger';
import { NodeLeaseRepository } from './node-lease.repository';

/** For who asks. A comparison takes as long as an inventory, and a process that died has its lease for seconds. */
const PATIENCE_MS = 15_000;

/** Differences of one node that are settled at once: a node may see as many as it likes. */
const SETTLED_AT_ONCE = 64;

const LEGACY = 'a Python server runs there, which cannot tell what is mounted: look at the node yourself';
const NEVER_HEARD = 'jobs hold mounts there by the ledger, and no dms-server of that host was ever heard of';
const MORE = `; of held targets that the ledger has no row for, ${UNWRITTEN_LIMIT} of each node at a time: there may be more`;

/** What became of one node. */
interface NodeReport {
  readonly differences: ReconciledDifferenceDto[];
  /** Why it was not compared, or not in all. */
  readonly error: DmsError | null;
  /** There are more held targets without a row than are told at once. */
  readonly more: boolean;
}

/** What was found on one node. */
interface Comparison {
  readonly differences: NodeDifferenceDto[];
  readonly error: DmsError | null;
  readonly more: boolean;
}

/**
 * Compares the ledger with what the nodes see, and settles each difference. The comparison only nominates: each repair
 * takes the target's lease, fences the node, reads the row again, and acts on the node's answer.
 */
@Injectable()
export class ReconcilerService {
  readonly #log = new Logger(ReconcilerService.name);
  readonly #warnings = new RareWarnings(this.#log);

  constructor(
    private readonly leases: NodeLeaseRepository,
    private readonly facts: NodeFactsRepository,
    private readonly looks: NodeLooksService,
    private readonly coordinator: TargetCoordinator,
    private readonly ledger: TargetLedger,
  ) {}

  /**
   * @param host one node; null: all that are known
   * @param dryRun only tells the differences
   * @param by who asks. A person is waited with for a process that compares the node already, and has decided that what
   *   only Python programs have written is not true where the node does not see it
   * @throws DmsError LEDGER_UNAVAILABLE; NOT_FOUND for a host that is not known
   */
  async reconcile(host: string | null, dryRun: boolean, by: Asker = 'person'): Promise<ReconcileResponseDto> {
    const notCompared = by === 'person' ? await this.#incomparable(host) : [];
    const hosts = host !== null && notCompared.length > 0 ? [] : await this.#hosts(host);
    const reports = await Promise.all(
      hosts.map(async (name) => ({ name, report: await this.#node(name, dryRun, by) })),
    );
    const differences = reports.flatMap(({ report }) => report.differences);
    const unreachable = reports.flatMap(({ name, report: { error } }) =>
      error === null ? [] : [{ host: name, error_code: error.code, error_msg: error.message }],
    );
    return {
      status: 'success',
      error_msg: null,
      success_msg:
        `${hosts.length - unreachable.length} of ${hosts.length + notCompared.length} node(s) compared, ${differences.length} difference(s)` +
        (reports.some(({ report }) => report.more) ? MORE : '') +
        (notCompared.length > 0 ? `; not compared: ${notCompared.map((node) => node.host).join(', ')}` : ''),
      dry_run: dryRun,
      hosts,
      differences,
      unreachable,
      not_compared: notCompared,
    };
  }

  /** @param host of all that cannot be compared, this one alone; null: each */
  async #incomparable(host: string | null): Promise<IncomparableNodeDto[]> {
    const nodes = await this.leases.incomparable();
    return nodes
      .filter((node) => host === null || node.host === host)
      .map(({ host: name, legacy }) => ({ host: name, reason: legacy ? LEGACY : NEVER_HEARD }));
  }

  async #hosts(host: string | null): Promise<string[]> {
    const known = await this.leases.hosts();
    if (host === null) return known;
    if (!known.includes(host))
      throw new DmsError('NOT_FOUND', `host: no node "${host}" is known that can be asked`);
    return [host];
  }

  async #node(host: string, dryRun: boolean, by: Asker): Promise<NodeReport> {
    const patienceMs = by === 'person' ? PATIENCE_MS : 0;
    try {
      const compared = await this.leases.run(host, async () => this.#compare(host), patienceMs);
      if (compared === null) {
        const error = new DmsError('BUSY', 'Another process compares this node just now');
        return { differences: [], error, more: false };
      }
      const { differences, error, more } = compared;
      const reconciled = await boundedMap(differences, SETTLED_AT_ONCE, (difference) =>
        this.#settle(host, difference, { dryRun, onlyTold: isOnlyTold(difference, by) }),
      );
      return { differences: reconciled, error, more };
    } catch (error) {
      const problem = DmsError.from(error);
      if (problem.code === 'INTERNAL') this.#log.error(error);
      return { differences: [], error: problem, more: false };
    }
  }

  /** On a node that serves another ledger only what ours knows of is nominated; the node refuses to have it changed. */
  async #compare(host: string): Promise<Comparison> {
    const before = await this.facts.mounts(host);
    const looked = await this.looks.inventory(host);
    const after = await this.facts.mounts(host);
    const differences = differencesOf(before, after, looked);
    const more = [...after.values()].filter(({ state }) => state === null).length >= UNWRITTEN_LIMIT;
    const ours = looked.ledger === undefined ? null : await this.facts.ledger();
    if (!isOther(looked.ledger, ours)) return { differences, error: null, more };
    const error = otherLedger(host, looked.ledger, ours);
    return { differences: ofThisLedger(differences), error, more: false };
  }

  async #settle(
    host: string,
    difference: NodeDifferenceDto,
    { dryRun, onlyTold }: { dryRun: boolean; onlyTold: boolean },
  ): Promise<ReconciledDifferenceDto> {
    const { backup_target_id: targetId } = difference;
    if (dryRun || targetId === null || onlyTold) {
      if (!dryRun) happened({ what: 'drift', kind: difference.kind, outcome: 'reported' });
      if (!dryRun && difference.kind === 'ahead_of_ledger')
        this.#warnings.warn(
          `Host "${host}" has mounts of later commands than the ledger knows: was it restored? They stay until "dms reconcile"`,
        );
      return { ...difference, host, outcome: 'reported', state_after: difference.ledger_state };
    }
    // What is left open is tried again by itself, more and more slowly: comparing does not hasten it.
    if (difference.kind === 'mount_without_binding')
      return { ...difference, host, outcome: 'open', state_after: difference.ledger_state };
    const key = { host, targetId };
    this.#log.warn({ msg: `Ledger and node differ: ${difference.kind}`, ...key, ...difference });
    const atRest = await this.coordinator.settle(key, true);
    const { outcome, state } = await this.#record(key, difference, atRest);
    happened({ what: 'drift', kind: difference.kind, outcome });
    return { ...difference, host, outcome, state_after: state };
  }

  /** Repairs are operations, too, and so is what was begun and could not be done yet: once, for it is tried over and over. */
  async #record(
    key: TargetKey,
    difference: NodeDifferenceDto,
    atRest: boolean,
  ): Promise<{ outcome: ReconcileOutcome; state: MountState }> {
    return this.ledger.transaction(key, async ({ row, operations }) => {
      const outcome = row.leased ? 'skipped' : atRest ? 'repaired' : 'open';
      const begun = outcome === 'open' && row.state !== difference.ledger_state;
      if (outcome === 'repaired' || begun) {
        const id = randomUUID();
        const opening = {
          id,
          action: 'reconcile' as const,
          jobid: null,
          projectId: null,
          requestId: currentRequest()?.requestId ?? null,
          mountPath: row.mountPath,
          requestData: difference,
        };
        const message = `${difference.kind}: the ledger said ${difference.ledger_state ?? 'nothing'}, it says ${row.state} now`;
        const why = `${message}, and it is tried again: ${row.errorMessage ?? 'the node gave no reason'}`;
        const end = {
          id,
          status: begun ? ('error' as const) : ('success' as const),
          errorCode: begun ? (row.errorCode ?? 'TIMEOUT') : null,
          errorMessage: begun ? why : null,
          successMessage: begun ? null : message,
          mountPath: row.mountPath,
          epoch: row.epoch,
          responseData: null,
        };
        await operations.record([{ opening, end }]);
      }
      return { outcome, state: row.state };
    });
  }
}
