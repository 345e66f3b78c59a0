import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { untilCommitted } from './rolled-back';
import { keyText, type TargetKey } from './target-key';

/** A place that was given after more milliseconds may be behind requests that came in later. */
const PROMPT_MS = 1_000;
/** Targets whose last place is remembered. The one that was not asked for the longest is forgotten first. */
const MOST = 10_000;

/** The place of a request in the order in which the target's requests came in, at all processes. */
export interface Arrival {
  readonly place: number;
  /** False where the place is one of some time before: what is behind it may have come in first, too. */
  readonly isPrompt: boolean;
}

/**
 * Puts requests that come in at different processes into one order: by a counter for each target, because clocks jump
 * and differ. Requests for one target that come in in the same turn share a place.
 */
@Injectable()
export class ArrivalsRepository {
  /** Not yet sent, by target. */
  readonly #next = new Map<string, Promise<Arrival>>();
  /** The last place that was given, by target. */
  readonly #known = new Map<string, number>();

  constructor(private readonly dataSource: DataSource) {}

  /**
   * Gives a request that comes in now its place. Never rejects: where the database cannot be asked, the place is the last
   * one that this process knows.
   */
  arrive(key: TargetKey): Promise<Arrival> {
    const text = keyText(key);
    const shared = this.#next.get(text);
    if (shared !== undefined) return shared;
    const arrivedAt = performance.now();
    const earlier = { place: this.#known.get(text) ?? 0, isPrompt: false };
    const arrival = nextTurn().then(async () => {
      this.#next.delete(text);
      const place = await this.#take(key).catch(() => null);
      if (place === null) return earlier;
      this.#remember(text, place);
      return performance.now() - arrivedAt <= PROMPT_MS ? { place, isPrompt: true } : earlier;
    });
    this.#next.set(text, arrival);
    return arrival;
  }

  async #take({ host, targetId }: TargetKey): Promise<number> {
    const { insertId } = await untilCommitted(() =>
      this.dataSource.query<{ insertId: number }>(
        `INSERT INTO target_arrivals (host, backup_target_id, arrival) VALUES (?, ?, LAST_INSERT_ID(1))
         ON DUPLICATE KEY UPDATE arrival = LAST_INSERT_ID(arrival + 1)`,
        [host, targetId],
      ),
    );
    return insertId;
  }

  #remember(text: string, place: number): void {
    this.#known.delete(text);
    this.#known.set(text, place);
    if (this.#known.size <= MOST) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      break;
    }
  }
}
