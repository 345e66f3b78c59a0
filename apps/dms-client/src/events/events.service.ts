import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { type StateEventDto } from '@app/contracts';
import { type CommittedChanges } from '../ledger/changes';
import { type TargetKey } from '../ledger/target-key';
import { TargetLedger } from '../ledger/target-ledger';
import { EventPublisher } from './event-publisher';

export type EventListener = (event: StateEventDto) => void;

/**
 * Tells of what was committed to the ledger: those who listen in this process at once, all others through the exchange.
 * An event is a hint: one of a process that dies right after its commit is lost, and what counts is the ledger.
 */
@Injectable()
export class EventsService implements OnModuleInit {
  readonly #log = new Logger(EventsService.name);
  readonly #listeners = new Set<EventListener>();

  constructor(
    private readonly ledger: TargetLedger,
    private readonly publisher: EventPublisher,
  ) {}

  onModuleInit(): void {
    this.ledger.onCommit((key, committed) => this.emit(key, committed));
  }

  /** Tells what a transaction did that is committed. Never throws. */
  emit({ host, targetId }: TargetKey, { epoch, mountPath, changes }: CommittedChanges): void {
    const at = new Date().toISOString();
    for (const { kind, jobids, operation } of changes) {
      const event: StateEventDto = {
        id: randomUUID(),
        kind,
        host,
        backup_target_id: targetId,
        epoch,
        mount_path: mountPath,
        jobids: [...jobids],
        operation,
        at,
      };
      this.publisher.publish(event);
      this.hear(event);
    }
  }

  /** Passes an event, of this process or of another, to those who listen here. Never throws. */
  hear(event: StateEventDto): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error({ msg: 'A listener to events failed', err: error });
      }
    }
  }

  /** @returns what ends the subscription */
  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
