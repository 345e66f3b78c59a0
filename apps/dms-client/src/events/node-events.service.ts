import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { type NodeEvent } from '@app/contracts';
import { FairMap, RareWarnings } from '@app/platform';
import { type TargetKey } from '../ledger/target-key';
import { TargetLedger } from '../ledger/target-ledger';
import { TargetCoordinator } from '../mounts/target-coordinator.service';
import { MountReports } from '../nodes/mount-reports';
import { NodeViewsService } from '../nodes/node-views.service';
import { EventTargetsRepository } from './event-targets.repository';

/** Targets that are settled at once; a node that was shut down tells of all its mounts. */
const AT_ONCE = 16;
/** Those of one node: one that answers no command holds up no other. */
const AT_ONCE_OF_NODE = 4;
/** Of more, the node of which most wait loses its oldest; its hellos repeat it. */
const MAX_WAITING = 10_000;
/** A target that is being worked on is asked about again after this time. */
const AGAIN_MS = 500;
const ATTEMPTS = 4;

/**
 * Has the targets looked at of which a node's event contradicts the ledger. An event only nominates: the target is
 * fenced, and the node's answer to that decides.
 *
 * The ledger may not know the mount yet when its event comes. So the event is compared again when the target's row was
 * written, and whenever a hello of the node repeats it.
 */
@Injectable()
export class NodeEventsService implements OnModuleInit {
  readonly #log = new Logger(NodeEventsService.name);
  /** While the ledger is away every hello and every event would say so. */
  readonly #rarely = new RareWarnings(this.#log);
  /** By node and target; a later event of a target replaces an earlier one that waits. */
  readonly #waiting = new FairMap<NodeEvent>(MAX_WAITING);
  /** By node, the targets that are being followed: one event of each at a time. */
  readonly #following = new Map<string, Set<string>>();
  #followed = 0;
  /** Nodes of which a hello is being compared with the ledger. */
  readonly #comparing = new Set<string>();

  constructor(
    private readonly targets: EventTargetsRepository,
    private readonly coordinator: TargetCoordinator,
    private readonly reports: MountReports,
    @Inject(NodeViewsService) private readonly views: Pick<NodeViewsService, 'onTroubled'>,
    @Inject(TargetLedger) private readonly ledger: Pick<TargetLedger, 'onCommit'>,
  ) {}

  onModuleInit(): void {
    this.views.onTroubled((events) => void this.#hearAll(events));
    this.ledger.onCommit((key, { epoch }) => {
      const report = this.reports.of(key, epoch);
      if (report !== null) this.#nominate(report);
    });
  }

  /** Takes an event; never throws. */
  hear(event: NodeEvent): void {
    this.reports.note(event);
    this.#nominate(event);
  }

  /** What a hello repeats, of one node: mostly the ledger knows it, which one query shows. Never rejects. */
  async #hearAll(events: readonly NodeEvent[]): Promise<void> {
    for (const event of events) this.reports.note(event);
    const { node } = events[0];
    if (this.#comparing.has(node)) return;
    this.#comparing.add(node);
    try {
      for (const event of await this.targets.contradicting(events)) this.#nominate(event);
    } catch (error) {
      this.#rarely.warn('What hellos say of mounts could not be compared', error as Error);
    } finally {
      this.#comparing.delete(node);
    }
  }

  #nominate(event: NodeEvent): void {
    this.#waiting.set(event.node, event.backup_target_id, event);
    this.#start([event.node]);
  }

  /** Begins what these nodes told, as far as there is room. */
  #start(nodes: readonly string[]): void {
    for (const node of nodes) {
      for (const event of this.#waiting.of(node).values()) {
        const ofNode = this.#following.get(node) ?? new Set<string>();
        if (this.#followed >= AT_ONCE) return;
        if (ofNode.size >= AT_ONCE_OF_NODE) break;
        if (!ofNode.has(event.backup_target_id)) this.#begin(event, ofNode);
      }
    }
  }

  #begin(event: NodeEvent, ofNode: Set<string>): void {
    const { node, backup_target_id: targetId } = event;
    this.#waiting.delete(node, targetId);
    this.#following.set(node, ofNode.add(targetId));
    this.#followed += 1;
    void this.#follow(event).finally(() => {
      this.#followed -= 1;
      ofNode.delete(targetId);
      if (ofNode.size === 0) this.#following.delete(node);
      // Others first: this node has just had its turn.
      const others = this.#waiting.owners().filter((owner) => owner !== node);
      this.#start([...others, node]);
    });
  }

  /** Until the ledger has another epoch: then somebody has asked the node since. */
  async #follow(event: NodeEvent): Promise<void> {
    const key = keyOf(event);
    try {
      for (let attempt = 0; await this.#isContradicted(event); attempt += 1) {
        if (attempt === ATTEMPTS) return;
        if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        this.#log.warn({ msg: `Node "${event.node}" says: ${event.event}`, ...key, epoch: event.epoch });
        await this.coordinator.settle(key, true);
      }
    } catch (error) {
      this.#rarely.warn('Events of nodes could not be followed', error as Error);
    }
  }

  async #isContradicted(event: NodeEvent): Promise<boolean> {
    return (await this.targets.contradicting([event])).length > 0;
  }
}

function keyOf({ node, backup_target_id }: NodeEvent): TargetKey {
  return { host: node, targetId: backup_target_id };
}
