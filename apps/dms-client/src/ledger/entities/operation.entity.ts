import { type ErrorCode, type OperationAction, type OperationStatus } from '@app/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { asNumber } from './as-number';

/** The record of one request, with one terminal state. */
@Entity('mount_operations')
export class Operation {
  @PrimaryColumn({ type: 'char', length: 36 })
  id: string;

  @Column({ type: 'varchar', length: 16 })
  action: OperationAction;

  @Column({ type: 'varchar', length: 16 })
  status: OperationStatus;

  @Column({ name: 'error_code', type: 'varchar', length: 32, nullable: true })
  errorCode: ErrorCode | null;

  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  jobid: number | null;

  @Column({ name: 'backup_target_id', type: 'varchar', length: 255 })
  backupTargetId: string;

  @Column({ type: 'varchar', length: 255 })
  host: string;

  @Column({ type: 'bigint', nullable: true, transformer: asNumber })
  epoch: number | null;

  @Column({ name: 'mount_path', type: 'varchar', length: 1024, nullable: true })
  mountPath: string | null;

  @Column({ name: 'error_msg', type: 'text', nullable: true })
  errorMessage: string | null;

  @Column({ name: 'success_msg', type: 'text', nullable: true })
  successMessage: string | null;

  /** JSON; the request without its secrets. */
  @Column({ name: 'request_data', type: 'mediumtext', nullable: true })
  requestData: string | null;

  /** JSON. */
  @Column({ name: 'response_data', type: 'mediumtext', nullable: true })
  responseData: string | null;

  @Column({ name: 'project_id', type: 'varchar', length: 255, nullable: true })
  projectId: string | null;

  /** `X-Request-Id` of the request; null where nobody asked for it by HTTP. */
  @Column({ name: 'request_id', type: 'varchar', length: 128, nullable: true })
  requestId: string | null;

  @Column({ name: 'created_at', type: 'datetime', precision: 6 })
  createdAt: Date;

  @Column({ name: 'updated_at', type: 'datetime', precision: 6 })
  updatedAt: Date;

  @Column({ name: 'completed_at', type: 'datetime', precision: 6, nullable: true })
  completedAt: Date | null;

  /** The process that works on it says so here every few seconds. */
  @Column({ name: 'renewed_at', type: 'datetime', precision: 6 })
  renewedAt: Date;
}
