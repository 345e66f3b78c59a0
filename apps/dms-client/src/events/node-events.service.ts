import { Injectable, Logger } from '@nestjs/common';
import { type NodeEvent } from '@app/contracts';
import { keyText, type TargetKey } from '../ledger/target-key';
import { TargetCoordinator } from '../mounts/target-coordinator.service';
import { EventTargetsRepository } from './event-targets.repository';

/** Targets that are settled at once; a node that was shut down tells of all its mounts. */
const AT_ONCE = 16;
const MAX_WAITING = 10_000;
/** A target that is being worked on is asked about again after this time. */
const AGAIN_MS = 500;
const ATTEMPTS = 4;

/**
 * Has the targets looked at of which a node's event contradicts the ledger. An event only nominates: the target is
 * fenced, and the node's answer to that decides. What is missed here is found by reconciliation.
 */
@Injectable()
export class NodeEventsService {
  readonly #log = new Logger(NodeEventsService.name);
  /** By target; a later event of a target replaces an earlier one that waits. */
  readonly #waiting = new Map<string, NodeEvent>();
  /** Targets that are being followed: one event of each at a time. */
  readonly #following = new Set<string>();

  constructor(
    private readonly targets: EventTargetsRepository,
    private readonly coordinator: TargetCoordinator,
  ) {}

  /** Takes an event; never throws. */
  hear(event: NodeEvent): void {
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
      for (let attempt = 0; await this.targets.isContradictedBy(event); attempt += 1) {
        if (attempt === ATTEMPTS) return;
        if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        this.#log.warn({ msg: `Node "${event.node}" says: ${event.event}`, ...key, epoch: event.epoch });
        await this.coordinator.settle(key, true);
      }
    } catch (error) {
      this.#log.warn({ msg: 'An event of a node could not be followed', ...key, err: error });
    }
  }
}

function keyOf({ node, backup_target_id }: NodeEvent): TargetKey {
  return { host: node, targetId: backup_target_id };
}
