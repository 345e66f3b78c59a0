import { Injectable } from '@nestjs/common';
import { type Hello, type NodeState } from '@app/contracts';
import { DataSource } from 'typeorm';
import { Node } from '../ledger/entities/node.entity';
import { ledgerError } from '../ledger/ledger-errors';

/** The table of known nodes. */
@Injectable()
export class NodesRepository {
  constructor(private readonly dataSource: DataSource) {}

  async find(host: string): Promise<Node | null> {
    return this.#try(() => this.dataSource.getRepository(Node).findOneBy({ host }));
  }

  /** What is written of each node. @throws DmsError LEDGER_UNAVAILABLE */
  async states(): Promise<NodeState[]> {
    return (
      await this.#try(() => this.dataSource.getRepository(Node).find({ select: { host: true, state: true } }))
    ).map(({ state }) => state);
  }

  /** Notes what a hello said. A node that drains goes on draining; a forgotten one is known again. */
  async heard(hello: Hello): Promise<void> {
    const values = [
      hello.incarnation,
      hello.boot_id,
      hello.protocol,
      hello.version,
      JSON.stringify(hello.bases),
      hello.public_key === null ? null : JSON.stringify(hello.public_key),
      hello.ledger ?? null,
      hello.legacy_queue_lost === true,
      hello.problem ?? null,
    ];
    await this.#try(() =>
      this.dataSource.query(
        `INSERT INTO nodes (host, state, incarnation, boot_id, protocol, version, bases, public_key, served_ledger,
           legacy_queue_lost, problem, last_seen)
         VALUES (?, 'up', ?, ?, ?, ?, ?, ?, ?, ?, ?, NOW(6))
         ON DUPLICATE KEY UPDATE state = IF(state = 'draining', state, 'up'), incarnation = VALUES(incarnation),
           boot_id = VALUES(boot_id), protocol = VALUES(protocol), version = VALUES(version), bases = VALUES(bases),
           public_key = VALUES(public_key), served_ledger = VALUES(served_ledger),
           legacy_queue_lost = VALUES(legacy_queue_lost), problem = VALUES(problem), last_seen = NOW(6)`,
        [hello.node, ...values],
      ),
    );
  }

  /** Notes that a node has said that it stops; one that drains goes on draining. */
  async silent(host: string): Promise<void> {
    await this.#try(() =>
      this.dataSource.query("UPDATE nodes SET state = 'silent' WHERE host = ? AND state = 'up'", [host]),
    );
  }

  async setState(host: string, state: NodeState): Promise<void> {
    await this.#try(() => this.dataSource.query('UPDATE nodes SET state = ? WHERE host = ?', [state, host]));
  }

  /** Notes that a Python server answers for this host: it says no hello and cannot be fenced. */
  async legacy(host: string): Promise<void> {
    await this.#try(() =>
      this.dataSource.query(
        `INSERT INTO nodes (host, state, last_seen) VALUES (?, 'legacy', NOW(6))
         ON DUPLICATE KEY UPDATE state = IF(state = 'draining', state, 'legacy'), incarnation = NULL, boot_id = NULL,
           protocol = NULL, version = NULL, bases = NULL, public_key = NULL, served_ledger = NULL,
           legacy_queue_lost = NULL, problem = NULL, last_seen = NOW(6)`,
        [host],
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
