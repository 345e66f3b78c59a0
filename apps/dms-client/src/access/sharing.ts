import { type ProjectScope } from './identity';

/**
 * Whether a caller may share a mount that was made for `owner` (null: it is not known for which project). Sharing gives
 * access to what is mounted without the secret that it was mounted with.
 */
export function mayShare(scope: ProjectScope, owner: string | null): boolean {
  if (scope.projectId === null || scope.projectId === owner) return true;
  // Where projects are not proven, a mount of nobody's project is kept from nobody.
  return !scope.proven && owner === null;
}

/** Whether a caller may change a binding of project `owner`. Where projects are not proven, everybody may. */
export function mayChange(scope: ProjectScope, owner: string | null): boolean {
  return !scope.proven || scope.projectId === null || scope.projectId === owner;
}
