import { type NodeState } from '@app/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What was last heard of a node. Hellos are heard, not stored: this is written when something changed. */
@Entity('nodes')
export class Node {
  @PrimaryColumn({ type: 'varchar', length: 255 })
  host: string;

  @Column({ type: 'varchar', length: 16 })
  state: NodeState;

  @Column({ type: 'varchar', length: 64, nullable: true })
  incarnation: string | null;

  @Column({ name: 'boot_id', type: 'varchar', length: 64, nullable: true })
  bootId: string | null;

  @Column({ type: 'int', nullable: true })
  protocol: number | null;

  @Column({ type: 'varchar', length: 64, nullable: true })
  version: string | null;

  /** JSON array of directories. */
  @Column({ type: 'text', nullable: true })
  bases: string | null;

  @Column({ name: 'public_key', type: 'text', nullable: true })
  publicKey: string | null;

  /** JSON: the keys that count as the node's; see nodes/pinning.ts. */
  @Column({ name: 'pinned_keys', type: 'text', nullable: true })
  pinnedKeys: string | null;

  /** Id of the key of the last hello that was refused since; `none` where it had no key. */
  @Column({ name: 'refused_key_id', type: 'varchar', length: 64, nullable: true })
  refusedKeyId: string | null;

  /** The ledger of which it had something mounted, by the hello that was written last. */
  @Column({ name: 'served_ledger', type: 'varchar', length: 64, nullable: true })
  servedLedger: string | null;

  /** 1: by that hello it does not consume `dms.<node>`. */
  @Column({ name: 'legacy_queue_lost', type: 'tinyint', nullable: true })
  legacyQueueLost: number | null;

  /** By that hello, what keeps it from carrying out commands. */
  @Column({ type: 'varchar', length: 255, nullable: true })
  problem: string | null;

  @Column({ name: 'last_seen', type: 'datetime', precision: 6, nullable: true })
  lastSeen: Date | null;
}
