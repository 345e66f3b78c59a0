import { DmsError, type RequestContextDto, type TargetRequestDto } from '@app/contracts';
import { type Identity, type ProjectScope } from './identity';
import { isPrivileged } from './policy';

export interface AuthorizedRequest {
  /** With the project for which it is carried out in its `context`. */
  readonly request: TargetRequestDto;
  /** Whose bindings it may change, and whose mount it may share. */
  readonly scope: ProjectScope;
}

/**
 * For which project a request is carried out. A proven caller's is the one of its credentials; the privileged may name
 * another. Where nobody is asked who calls, what the request says is believed.
 *
 * @throws DmsError FORBIDDEN where the request names a project that is not the caller's
 */
export function authorizeRequest(request: TargetRequestDto, identity: Identity): AuthorizedRequest {
  const claimed = claimedProject(request.context);
  if (!identity.proven) return { request, scope: { projectId: claimed, proven: false } };
  if (isPrivileged(identity)) {
    const project_id = claimed ?? identity.projectId;
    return {
      request: { ...request, context: { ...request.context, project_id } },
      scope: { projectId: null, proven: true },
    };
  }
  const { projectId, userId } = identity;
  for (const field of ['project_id', 'tenant_id'] as const) {
    const named = request.context?.[field] ?? projectId;
    if (named === projectId) continue;
    throw new DmsError('FORBIDDEN', `context.${field}: the request is for another project than the caller's`);
  }
  const context = { ...request.context, project_id: projectId, user_id: userId };
  return { request: { ...request, context }, scope: { projectId, proven: true } };
}

/** The project that a request says it is for; null: it names none. */
export function claimedProject(context: RequestContextDto | null | undefined): string | null {
  return context?.project_id ?? context?.tenant_id ?? null;
}
