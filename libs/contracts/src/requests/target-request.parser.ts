import { DmsError, type FieldProblem } from '../errors/dms-error';
import { exportProblem, normalizeExport, normalizeSecretRef, secretRefProblem } from '../rules/source';
import { jobIdProblem } from '../rules/identifiers';
import { asksReadOnly } from '../rules/nfs-options';
import { steers } from '../rules/plain-text';
import { type BackupTargetDto, TargetRequestDto } from './target-request.dto';
import { validated } from './validate';

export type TargetAction = 'mount' | 'unmount';

/**
 * A request that has passed every rule of its form, from HTTP, the command line or the wire.
 *
 * The job id may stand at `job.jobid` or, as older programs send it, at `jobid`; where both stand they must agree.
 *
 * @throws DmsError VALIDATION_FAILED that names each wrong field
 */
export function parseTargetRequest(body: unknown, action: TargetAction): TargetRequestDto {
  const request = validated(TargetRequestDto, withJob(body));
  const problems = [
    ...(request.action && request.action !== action
      ? [{ field: 'action', problem: `must be "${action}" here, or left out` }]
      : []),
    ...sourceProblems(request.backup_target),
    ...(action === 'mount' ? mountProblems(request) : []),
  ];
  if (problems.length > 0) throw DmsError.validation(problems);
  request.action = action;
  return request;
}

/** What is mounted: the normalised export (nfs) or secret reference (s3). Equal sources are one mount. */
export function sourceOf(
  target: Pick<BackupTargetDto, 'type' | 'filesystem_export' | 'secret_ref'>,
): string | null {
  if (target.type === 'nfs')
    return target.filesystem_export ? normalizeExport(target.filesystem_export) : null;
  return target.secret_ref ? normalizeSecretRef(target.secret_ref) : null;
}

/** True if the request asks for a read-only mount, by its own field or by an NFS option. */
export function isReadOnly(request: TargetRequestDto): boolean {
  return request.read_only === true || asksReadOnly(request.backup_target.nfs_mount_opts);
}

function withJob(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  const { jobid, ...request } = body as { jobid?: unknown; job?: unknown };
  if (jobid === undefined) return request;
  const problem = jobIdProblem(jobid);
  if (problem !== null) throw DmsError.validation([{ field: 'jobid', problem }]);
  if (request.job === undefined || request.job === null) return { ...request, job: { jobid } };
  const nested = (request.job as { jobid?: unknown }).jobid;
  if (typeof request.job === 'object' && nested === undefined)
    return { ...request, job: { ...request.job, jobid } };
  if (typeof request.job === 'object' && nested !== jobid) {
    throw DmsError.validation([{ field: 'jobid', problem: 'must be the same as job.jobid, or left out' }]);
  }
  return request;
}

function sourceProblems(target: BackupTargetDto): FieldProblem[] {
  const given = (value: unknown): boolean => value !== null && value !== undefined;
  return [
    ...problemOf('backup_target.filesystem_export', target.type === 'nfs' && given(target.filesystem_export) ? exportProblem(target.filesystem_export) : null),
    ...problemOf('backup_target.secret_ref', target.type === 's3' && given(target.secret_ref) ? secretRefProblem(target.secret_ref) : null),
  ]; // prettier-ignore
}

function mountProblems(request: TargetRequestDto): FieldProblem[] {
  const target = request.backup_target;
  return [
    ...steeringProblems(request),
    ...problemOf(
      'backup_target.deleted',
      target.deleted ? 'is true: a deleted target cannot be mounted' : null,
    ),
    ...problemOf(
      'backup_target.status',
      target.status === 'unavailable' ? 'is "unavailable": the target cannot be mounted' : null,
    ),
    ...(target.type === 'nfs' && !target.filesystem_export
      ? problemOf('backup_target.filesystem_export', exportProblem(target.filesystem_export ?? undefined))
      : []),
    ...(target.type === 's3' && !target.secret_ref
      ? problemOf('backup_target.secret_ref', secretRefProblem(target.secret_ref ?? undefined))
      : []),
    ...problemOf(
      'keystone_token',
      target.type === 's3' && !request.keystone_token
        ? 'is required to read the secret of an s3 target'
        : null,
    ),
  ];
}

/** Of a mount alone: what stands under such a name, from an earlier version, can still be unmounted. */
function steeringProblems({ backup_target: target, hold_id }: TargetRequestDto): FieldProblem[] {
  const texts = {
    'backup_target.id': target.id,
    'backup_target.filesystem_export_mount_path': target.filesystem_export_mount_path,
    'backup_target.filesystem_export': target.filesystem_export,
    hold_id,
  };
  return Object.entries(texts)
    .filter(([, text]) => steers(text ?? ''))
    .map(([field]) => ({
      field,
      problem: 'must hold no control characters, and none that turn the order of a text',
    }));
}

function problemOf(field: string, problem: string | null): FieldProblem[] {
  return problem === null ? [] : [{ field, problem }];
}
