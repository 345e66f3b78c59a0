import { type BindingState } from '@app/contracts';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { asNumber } from './as-number';

/**
 * One job's hold on a mount: the table of the Python system with columns of ours behind it.
 *
 * `mounted` says whether it is held, for that is the column which Python programs write; `state` only tells apart
 * those that are not held. {@link Binding.effectiveState} reads both.
 */
@Entity('backup_target_mount_ledger')
export class Binding {
  @PrimaryGeneratedColumn({ type: 'bigint' })
  id: string;

  @Column({ name: 'created_at', type: 'datetime', precision: 6, nullable: true })
  createdAt: Date | null;

  @Column({ name: 'updated_at', type: 'datetime', precision: 6, nullable: true })
  updatedAt: Date | null;

  /** The Python system sets it at insert: it says nothing about deletion, `deleted` does. */
  @Column({ name: 'deleted_at', type: 'datetime', precision: 6, nullable: true })
  deletedAt: Date | null;

  @Column({ type: 'boolean', nullable: true })
  deleted: boolean | null;

  @Column({ type: 'varchar', length: 255, nullable: true })
  version: string | null;

  @Column({ name: 'backup_target_id', type: 'varchar', length: 255 })
  backupTargetId: string;

  @Column({ type: 'bigint', transformer: asNumber })
  jobid: number;

  @Column({ type: 'varchar', length: 255 })
  host: string;

  @Column({ type: 'boolean', nullable: true })
  mounted: boolean | null;

  @Column({ type: 'varchar', length: 16, nullable: true })
  state: BindingState | null;

  @Column({ name: 'operation_id', type: 'char', length: 36, nullable: true })
  operationId: string | null;

  @Column({ name: 'project_id', type: 'varchar', length: 255, nullable: true })
  projectId: string | null;

  @Column({ name: 'hold_id', type: 'varchar', length: 255, nullable: true })
  holdId: string | null;

  @Column({ name: 'lease_expires_at', type: 'datetime', precision: 6, nullable: true })
  leaseExpiresAt: Date | null;

  /** Seconds that were asked for last. */
  @Column({ name: 'lease_s', type: 'int', nullable: true })
  leaseS: number | null;

  /** When anybody wrote the row last, by the database's clock; Python programs set `updated_at` by their own. */
  @Column({ name: 'written_at', type: 'timestamp', precision: 6, nullable: true })
  writtenAt: Date | null;

  get effectiveState(): BindingState {
    if (this.mounted) return 'held';
    return this.state === 'claimed' || this.state === 'lost' ? this.state : 'released';
  }
}
