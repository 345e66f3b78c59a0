import { type Identity, type ProjectScope } from './identity';

/** What a call does, as far as it matters to who may make it. Every route says one; docs/SEMANTICS.md explains them. */
export type AccessLevel = 'open' | 'read' | 'change' | 'operate' | 'administer';

/** Roles that see and change what belongs to any project. */
const PRIVILEGED_ROLES = ['admin', 'service'];
/** Roles that change nothing, where a caller has no other. */
const READ_ONLY_ROLES = ['reader'];

/**
 * - `open`: everybody, without credentials;
 * - `read`, `change`: with a role in a project, for what belongs to that project; the privileged for everything;
 * - `operate`: what shows or repairs things of all projects;
 * - `administer`: what takes things away from others.
 */
const POLICY: Readonly<Record<AccessLevel, (identity: Identity) => boolean>> = {
  open: () => true,
  read: (identity) => isPrivileged(identity) || hasProjectRole(identity, () => true),
  change: (identity) =>
    isPrivileged(identity) || hasProjectRole(identity, (role) => !READ_ONLY_ROLES.includes(role)),
  operate: isPrivileged,
  administer: ({ roles }) => roles.includes('admin'),
};

export function permits(identity: Identity, level: AccessLevel): boolean {
  return POLICY[level](identity);
}

export function isPrivileged({ roles }: Identity): boolean {
  return roles.some((role) => PRIVILEGED_ROLES.includes(role));
}

/** The caller is one that `read` or `change` lets in. */
export function scopeOf(identity: Identity): ProjectScope {
  const { projectId, proven } = identity;
  if (isPrivileged(identity)) return { projectId: null, proven };
  if (projectId === null) throw new Error('A caller without project and privilege has no scope');
  return { projectId, proven };
}

function hasProjectRole({ projectId, roles }: Identity, counts: (role: string) => boolean): boolean {
  return projectId !== null && roles.some(counts);
}
