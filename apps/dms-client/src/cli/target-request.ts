import { readFile } from 'node:fs/promises';
import { text as readStream } from 'node:stream/consumers';
import { parseTargetRequest, type TargetAction, type TargetRequestDto } from '@app/contracts';
import { type TargetOptions } from './commands/target.command';
import { UsageError } from './usage-error';

/**
 * The request that the options of `mount`, `unmount` and `run` ask for, checked as one that comes over HTTP.
 *
 * @param warn is told of a token that others can see
 * @throws DmsError VALIDATION_FAILED that names each wrong field; UsageError
 */
export async function targetRequest(
  action: TargetAction,
  options: TargetOptions,
  warn: (message: string) => void,
): Promise<TargetRequestDto> {
  const body = {
    keystone_token: await keystoneToken(options, warn),
    job: { jobid: options.jobId },
    host: options.host,
    action,
    backup_target: {
      id: options.targetId,
      type: options.targetType,
      filesystem_export: options.nfsExport ?? null,
      filesystem_export_mount_path: options.mountPath ?? null,
      secret_ref: options.secretRef ?? null,
      nfs_mount_opts: options.nfsOpts ?? null,
    },
    read_only: options.readOnly ?? false,
    hold_id: options.holdId ?? null,
  };
  return parseTargetRequest(body, action);
}

async function keystoneToken(
  { token, tokenFile }: TargetOptions,
  warn: (message: string) => void,
): Promise<string | null> {
  if (token !== undefined && tokenFile !== undefined) {
    throw new UsageError('--token and --token-file: give one of them');
  }
  if (token !== undefined) {
    warn('--token shows the token to all users of this machine; use --token-file or KEYSTONE_TOKEN');
    return token;
  }
  if (tokenFile !== undefined) return (await tokenText(tokenFile)).trim();
  return process.env.KEYSTONE_TOKEN || null;
}

async function tokenText(path: string): Promise<string> {
  try {
    return path === '-' ? await readStream(process.stdin) : await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new UsageError(`--token-file: ${path === '-' ? 'standard input' : path} cannot be read (${code})`);
  }
}
