import { Option } from 'nest-commander';
import { type CommonOptions, DmsCommand } from './dms.command';

export interface TargetOptions extends CommonOptions {
  readonly jobId?: number;
  readonly targetId?: string;
  readonly targetType?: string;
  readonly host?: string;
  readonly secretRef?: string;
  readonly nfsExport?: string;
  readonly nfsOpts?: string;
  readonly mountPath?: string;
  readonly readOnly?: boolean;
  readonly tokenFile?: string;
  readonly token?: string;
  readonly holdId?: string;
}

/**
 * What `mount`, `unmount` and `run` have: the options that make a request. Wrong values are let through: the check of the
 * request names all of them at once.
 */
export abstract class TargetCommand extends DmsCommand {
  @Option({ flags: '--job-id <number>', description: 'the job (required)' })
  jobId(value: string): number {
    return /^\d+$/.test(value) ? Number(value) : NaN;
  }

  @Option({ flags: '--target-id <id>', description: 'the backup target (required)' })
  targetId(value: string): string {
    return value;
  }

  @Option({
    flags: '--target-type <type>',
    description: 'what the target is (required)',
    choices: ['s3', 'nfs'],
  })
  targetType(value: string): string {
    return value;
  }

  @Option({ flags: '--host <name>', description: 'the node (required)' })
  host(value: string): string {
    return value;
  }

  @Option({ flags: '--secret-ref <url>', description: "s3: URL of the secret with the bucket's credentials" })
  secretRef(value: string): string {
    return value;
  }

  @Option({ flags: '--nfs-export <server:/path>', description: 'nfs: the export' })
  nfsExport(value: string): string {
    return value;
  }

  @Option({ flags: '--nfs-opts <options>', description: 'nfs: mount options, comma separated' })
  nfsOpts(value: string): string {
    return value;
  }

  @Option({
    flags: '--mount-path <path>',
    description: "where to mount it; else <the node's base>/<target id>",
  })
  mountPath(value: string): string {
    return value;
  }

  @Option({ flags: '--read-only', description: 'mount it read-only, for restores' })
  readOnly(): boolean {
    return true;
  }

  @Option({
    flags: '--token-file <file>',
    description: 'file with the Keystone token, - for standard input; else KEYSTONE_TOKEN is read',
  })
  tokenFile(value: string): string {
    return value;
  }

  @Option({ flags: '--token <token>', description: 'the Keystone token, seen by all users of this machine' })
  token(value: string): string {
    return value;
  }

  @Option({ flags: '--hold-id <id>', description: 'tells several holds of one job on the target apart' })
  holdId(value: string): string {
    return value;
  }
}
