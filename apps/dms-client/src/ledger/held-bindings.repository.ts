import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ledgerError } from './ledger-errors';
import { keyText, type TargetKey } from './target-key';

/** Jobs whose bindings are looked at together, and what the look came to. */
interface Look {
  readonly jobids: Set<number>;
  readonly held: Promise<ReadonlySet<number>>;
}

/** Looks at bindings without a lock. Those of one target that are asked for in the same turn share a statement. */
@Injectable()
export class HeldBindingsRepository {
  /** Not yet begun, by target. */
  readonly #next = new Map<string, Look>();

  constructor(private readonly dataSource: DataSource) {}

  /**
   * True if the job holds the target, at a time after the call.
   *
   * @throws DmsError LEDGER_UNAVAILABLE
   */
  async isHeld(key: TargetKey, jobid: number): Promise<boolean> {
    const look = this.#next.get(keyText(key)) ?? this.#begin(key);
    look.jobids.add(jobid);
    return (await look.held).has(jobid);
  }

  #begin(key: TargetKey): Look {
    const jobids = new Set<number>();
    const held = nextTurn().then(() => {
      this.#next.delete(keyText(key));
      return this.#look(key, jobids);
    });
    const look = { jobids, held };
    this.#next.set(keyText(key), look);
    return look;
  }

  async #look({ host, targetId }: TargetKey, jobids: ReadonlySet<number>): Promise<ReadonlySet<number>> {
    try {
      const rows = await this.dataSource.query<{ jobid: unknown }[]>(
        `SELECT jobid FROM backup_target_mount_ledger
         WHERE host = ? AND backup_target_id = ? AND jobid IN (?) AND mounted AND NOT COALESCE(deleted, FALSE)`,
        [host, targetId, [...jobids]],
      );
      return new Set(rows.map(({ jobid }) => Number(jobid)));
    } catch (error) {
      throw ledgerError(error);
    }
  }
}
