import { Transform, Type } from 'class-transformer';
import {
  Allow,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { holdProblem, hostProblem, identifierProblem, jobIdProblem } from '../rules/identifiers';
import { mountPathProblem } from '../rules/mount-path';
import { nfsOptionsProblem } from '../rules/nfs-options';
import { Secret } from '../secrets/secret';
import { Satisfies } from './satisfies.decorator';

export const TARGET_TYPES = ['s3', 'nfs'] as const;
export type TargetType = (typeof TARGET_TYPES)[number];

const MAX_TOKEN_CHARACTERS = 16_384;

/** Who asks, in OpenStack's terms. */
export class RequestContextDto {
  @IsOptional()
  @IsString()
  @MaxLength(255)
  user_id?: string | null;

  @IsOptional()
  @IsString()
  @MaxLength(255)
  tenant_id?: string | null;

  @IsOptional()
  @IsString()
  @MaxLength(255)
  project_id?: string | null;

  @IsOptional()
  @IsString()
  @MaxLength(255)
  request_id?: string | null;
}

/**
 * The job that needs the target. Only `jobid` has a meaning here; the rest is recorded with the operation, and carried to
 * the node for older programs. Of that, `action` alone is looked at.
 */
export class JobDto {
  /** A positive integer up to 2^53-1. */
  @Satisfies(jobIdProblem)
  jobid: number;

  /** Per cent. */
  @Allow()
  progress?: number | null;

  /** `running`, `completed` or `failed`. */
  @Allow()
  status?: string | null;

  @Allow()
  completed_at?: string | null;

  @IsOptional()
  @IsString({ message: 'must be a string such as "backup" or "restore"' })
  action?: string | null;

  @Allow()
  parent_jobid?: number | null;

  /** Objects with an `id` and `data`. */
  @Allow()
  job_details?: Record<string, unknown>[] | null;
}

/** What is to be mounted. */
export class BackupTargetDto {
  /** 1 to 255 characters; no `/`, no control character, no leading `.` or `-`, no space at the end. */
  @Satisfies(identifierProblem)
  id: string;

  @IsIn(TARGET_TYPES, { message: 'must be "s3" or "nfs"' })
  type: TargetType;

  /** A deleted target can be unmounted, not mounted. */
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  deleted?: boolean | null;

  /** `unavailable` refuses a mount, never an unmount. */
  @IsOptional()
  @IsString({ message: 'must be a string such as "available"' })
  @MaxLength(64)
  status?: string | null;

  /** For nfs: `server:/path`. */
  @IsOptional()
  @IsString({ message: 'must be a string or null' })
  filesystem_export?: string | null;

  /** Absolute and normal, below one of the node's bases; null stands for `<base>/<target id>`. */
  @IsOptional()
  @Satisfies(mountPathProblem)
  filesystem_export_mount_path?: string | null;

  /** For s3: the URL of the Barbican secret that holds the bucket and its credentials. */
  @IsOptional()
  @IsString({ message: 'must be a string or null' })
  secret_ref?: string | null;

  /** For nfs: options of mount(8), comma separated, from the list under "NFS options" in docs/HTTP.md. */
  @IsOptional()
  @Satisfies(nfsOptionsProblem)
  nfs_mount_opts?: string | null;
}

/** A request to mount or unmount a backup target on a host for a job: the same body over HTTP and on the wire. */
export class TargetRequestDto {
  @IsOptional()
  @IsObject({ message: 'must be an object' })
  @ValidateNested()
  @Type(() => RequestContextDto)
  context?: RequestContextDto | null;

  /** The Keystone token with which the node reads the secret. Printed, logged and stored as `***`. */
  @IsOptional()
  @Transform(({ value }: { value: unknown }) => asToken(value))
  @Satisfies(tokenProblem)
  keystone_token?: Secret | null;

  @IsObject({ message: 'must be an object with a "jobid"' })
  @ValidateNested()
  @Type(() => JobDto)
  job: JobDto;

  /** The name of the node, as in its `DMS_NODE_ID`. */
  @Satisfies(hostProblem)
  host: string;

  @IsOptional()
  @IsIn(['mount', 'unmount'], { message: 'must be "mount" or "unmount"' })
  action?: 'mount' | 'unmount' | null;

  @IsObject({ message: 'must be an object' })
  @ValidateNested()
  @Type(() => BackupTargetDto)
  backup_target: BackupTargetDto;

  /** Mount read-only, for restores. */
  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  read_only?: boolean | null;

  /** Tells several holds of one job on one target apart; 1 to 191 characters, as an id. */
  @IsOptional()
  @Satisfies(holdProblem)
  hold_id?: string | null;

  /** The hold is to be renewed within this many seconds; absent: it lasts until the unmount. */
  @IsOptional()
  @IsInt({ message: 'must be a whole number of seconds' })
  @Min(10, { message: 'must be at least 10 seconds' })
  @Max(7 * 24 * 3600, { message: 'must be at most a week' })
  lease_s?: number | null;
}

/** Older programs send an empty token where they have none. */
function asToken(value: unknown): unknown {
  if (value === '') return null;
  return typeof value === 'string' ? new Secret(value) : value;
}

function tokenProblem(value: unknown): string | null {
  if (!(value instanceof Secret)) return 'must be a string';
  const token = value.reveal();
  if (token.length === 0 || token.length > MAX_TOKEN_CHARACTERS) {
    return `must have 1 to ${MAX_TOKEN_CHARACTERS} characters`;
  }
  return /^[\x21-\x7e]+$/.test(token)
    ? null
    : 'must consist of printable ASCII characters without spaces, one at least';
}
