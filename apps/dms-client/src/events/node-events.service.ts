import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { type NodeEvent } from '@app/contracts';
import { keyText, type TargetKey } from '../ledger/target-key';
import { TargetLedger } from '../ledger/target-ledger';
import { TargetCoordinator } from '../mounts/target-coordinator.service';
import { MountReports } from '../nodes/mount-reports';
import { NodeViewsService } from '../nodes/node-views.service';
import { EventTargetsRepository } from './event-targets.repository';

/** Targets that are settled at once; a node that was shut down tells of all its mounts. */
const AT_ONCE = 16;
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
  /** By target; a later event of a target replaces an earlier one that waits. */
  readonly #waiting = new Map<string, NodeEvent>();
  /** Targets that are being followed: one event of each at a time. */
  readonly #following = new Set<string>();
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
      this.#log.warn({ msg: 'What a hello says of mounts could not be compared', host: node, err: error });
    } finally {
      this.#comparing.delete(node);
    }
  }

  #nominate(event: NodeEvent): void {
    const text = keyText(keyOf(event));
    if (this.#waiting.size >= MAX_WAITING && !this.#waiting.has(text)) return;
    this.#waiting.set(text, event);
    this.#start();
  }

  #start(): void {
    for (const [text, event] of this.#waiting) {
      if (this.#following.size >= AT_ONCE) return;
      if (this.#following.has(text)) continue;
      this.#waiting.delete(text);
      this.#following.add(text);
      void this.#follow(event).finally(() => {
        this.#following.delete(text);
        this.#start();
      });
    }
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
      this.#log.warn({ msg: 'An event of a node could not be followed', ...key, err: error });
    }
  }

  async #isContradicted(event: NodeEvent): Promise<boolean> {
    return (await this.targets.contradicting([event])).length > 0;
  }
}

function keyOf({ node, backup_target_id }: NodeEvent): TargetKey {
  return { host: node, targetId: backup_target_id };
}
