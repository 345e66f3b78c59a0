import { Injectable } from '@nestjs/common';
import { type Hello } from '@app/contracts';
import { DataSource, type QueryRunner } from 'typeorm';
import { ledgerError } from '../ledger/ledger-errors';
import { untilCommitted } from '../ledger/rolled-back';
import { judgeKeys, type KeyVerdict, NO_KEY, pinnedIn, type PinnedKeys, pinOf } from './pinning';

/** What the ledger knows of how a node can be trusted. */
export interface KnownNode {
  readonly pinned: PinnedKeys | null;
  /** A hello of it was heard, or a Python server answered: a node without keys is known to have none. */
  readonly wasHeard: boolean;
  /** Id of the key of a hello that was refused since the keys were pinned; null: none was. */
  readonly refusedKeyId: string | null;
}

interface Row {
  readonly pinned_keys: string | null;
  readonly refused_key_id: string | null;
  readonly state: string;
  readonly incarnation: string | null;
}

/** The pinned keys of the nodes, in the ledger: what one process has seen first holds for all. */
@Injectable()
export class NodePinsRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** @throws DmsError LEDGER_UNAVAILABLE */
  async find(host: string): Promise<KnownNode | null> {
    return this.#try(async () => {
      const [row] = await this.dataSource.query<Row[]>(
        'SELECT pinned_keys, refused_key_id, state, incarnation FROM nodes WHERE host = ?',
        [host],
      );
      return row === undefined ? null : knownOf(row);
    });
  }

  /**
   * Judges a hello under the lock of the node's row, and pins its keys or notes that they were refused.
   *
   * @throws DmsError LEDGER_UNAVAILABLE
   */
  async judge(hello: Hello): Promise<KeyVerdict> {
    return this.#transaction(async (runner) => {
      // All clients hear a hello at once. This locks the row at once, where INSERT IGNORE would share it first.
      await runner.query(
        `INSERT INTO nodes (host, state) VALUES (?, 'silent') ON DUPLICATE KEY UPDATE host = VALUES(host)`,
        [hello.node],
      );
      const [row] = (await runner.query(
        'SELECT pinned_keys, refused_key_id, state, incarnation FROM nodes WHERE host = ? FOR UPDATE',
        [hello.node],
      )) as Row[];
      const verdict = judgeKeys(knownOf(row).pinned, hello);
      if (verdict.kind === 'refuse') {
        const refused = hello.signing_key?.kid ?? NO_KEY;
        await runner.query('UPDATE nodes SET refused_key_id = ? WHERE host = ?', [refused, hello.node]);
      }
      if (verdict.kind === 'pin') await pin(runner, hello.node, pinOf(hello));
      return verdict;
    });
  }

  /**
   * An operator's decision: from now on the node is the one that signs with this key; null: the node has none.
   *
   * @throws DmsError LEDGER_UNAVAILABLE
   */
  async accept(host: string, keyId: string | null): Promise<void> {
    const nothing = {
      ...{ public_key: null, signing_key: null, signs_replies: false },
      ...{ boot_id: null, incarnation: null },
    };
    await this.#transaction((runner) =>
      pin(runner, host, keyId === null ? null : { key_id: keyId, ...nothing }),
    );
  }

  async #transaction<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    return this.#try(() =>
      untilCommitted(() =>
        this.dataSource.transaction(({ queryRunner }) => work(queryRunner as QueryRunner)),
      ),
    );
  }

  async #try<T>(query: () => Promise<T>): Promise<T> {
    try {
      return await query();
    } catch (error) {
      throw ledgerError(error);
    }
  }
}

async function pin(runner: QueryRunner, host: string, keys: PinnedKeys | null): Promise<void> {
  await runner.query('UPDATE nodes SET pinned_keys = ?, refused_key_id = NULL WHERE host = ?', [
    keys === null ? null : JSON.stringify(keys),
    host,
  ]);
}

function knownOf({ pinned_keys, refused_key_id, state, incarnation }: Row): KnownNode {
  const pinned = pinned_keys === null ? null : pinnedIn(pinned_keys);
  const wasHeard = state === 'legacy' || incarnation !== null;
  return { pinned, wasHeard, refusedKeyId: refused_key_id };
}
