import { type MountState, type TargetType } from '@app/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number';

/** What the service knows of the one physical mount of a target on a host. Who decides about it locks this row. */
@Entity('target_mounts')
export class TargetMount {
  @PrimaryColumn({ type: 'varchar', length: 255 })
  host: string;

  @PrimaryColumn({ name: 'backup_target_id', type: 'varchar', length: 255 })
  backupTargetId: string;

  @Column({ type: 'varchar', length: 16 })
  state: MountState;

  /** Grows with each physical intention; with the incarnation it is the fence. */
  @Column({ type: 'bigint', transformer: asNumber })
  epoch: number;

  /** The node's memory for which the epoch was taken. */
  @Column({ type: 'varchar', length: 64, nullable: true })
  incarnation: string | null;

  @Column({ name: 'mount_path', type: 'varchar', length: 1024, nullable: true })
  mountPath: string | null;

  /** SHA-256 of the path while the target occupies it, else null: unique for a host. */
  @Column({ name: 'active_path_key', type: 'binary', length: 32, nullable: true })
  activePathKey: Buffer | null;

  @Column({ type: 'varchar', length: 1024, nullable: true })
  source: string | null;

  @Column({ type: 'varchar', length: 8, nullable: true })
  type: TargetType | null;

  @Column({ name: 'read_only', type: 'boolean' })
  readOnly: boolean;

  /** The project for which it was mounted last. */
  @Column({ name: 'project_id', type: 'varchar', length: 255, nullable: true })
  projectId: string | null;

  @Column({ name: 'mnt_id', type: 'bigint', nullable: true, transformer: asNumber })
  mntId: number | null;

  @Column({ type: 'varchar', length: 32, nullable: true })
  device: string | null;

  /** The boot of the node in which it was mounted. */
  @Column({ name: 'boot_id', type: 'varchar', length: 64, nullable: true })
  bootId: string | null;

  /** The operation that the epoch authorises. */
  @Column({ name: 'operation_id', type: 'char', length: 36, nullable: true })
  operationId: string | null;

  @Column({ name: 'lease_token', type: 'char', length: 36, nullable: true })
  leaseToken: string | null;

  @Column({ name: 'lease_owner', type: 'varchar', length: 255, nullable: true })
  leaseOwner: string | null;

  @Column({ name: 'lease_expires_at', type: 'datetime', precision: 6, nullable: true })
  leaseExpiresAt: Date | null;

  @Column({ name: 'error_code', type: 'varchar', length: 32, nullable: true })
  errorCode: string | null;

  @Column({ name: 'error_msg', type: 'text', nullable: true })
  errorMessage: string | null;

  @Column({ name: 'updated_at', type: 'datetime', precision: 6 })
  updatedAt: Date;
}
