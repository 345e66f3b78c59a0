/** A user and the roles that it has in its project. */
export interface CloudUser {
  readonly name: string;
  readonly password: string;
  readonly project: string;
  readonly roles: readonly string[];
}

/** Projects in which backup targets' secrets lie, and the one of the services themselves. */
export const PROJECTS = ['tenant-one', 'tenant-two', 'service'] as const;

/** The region of all endpoints. */
export const REGION = 'RegionOne';

/**
 * The users of the private cloud. Which of them may read a secret of tenant-one is Barbican's decision: `creator` and
 * `observer` in the project may, `member` and `reader` alone may not.
 */
export const USERS = {
  /** Administrator of the cloud, as made by Keystone's bootstrap. */
  admin: { name: 'admin', password: 'admin-password', project: 'admin', roles: ['admin'] },
  /** The key manager's own account, with which it asks Keystone about tokens. */
  barbican: {
    name: 'barbican',
    password: 'barbican-password',
    project: 'service',
    roles: ['admin', 'service'],
  },
  /** The account of the mount service: it may ask Keystone about anybody's token, and no more. */
  dms: { name: 'dms', password: 'dms-password', project: 'service', roles: ['service'] },
  owner: { name: 'owner', password: 'owner-password', project: 'tenant-one', roles: ['creator', 'member'] },
  colleague: {
    name: 'colleague',
    password: 'colleague-password',
    project: 'tenant-one',
    roles: ['creator', 'member'],
  },
  observer: { name: 'observer', password: 'observer-password', project: 'tenant-one', roles: ['observer'] },
  member: { name: 'member', password: 'member-password', project: 'tenant-one', roles: ['member'] },
  reader: { name: 'reader', password: 'reader-password', project: 'tenant-one', roles: ['reader'] },
  /** Administrator of one project. */
  manager: { name: 'manager', password: 'manager-password', project: 'tenant-one', roles: ['admin'] },
  stranger: {
    name: 'stranger',
    password: 'stranger-password',
    project: 'tenant-two',
    roles: ['creator', 'member'],
  },
} as const satisfies Record<string, CloudUser>;

/** The name of a user of the private cloud. */
export type UserName = keyof typeof USERS;
