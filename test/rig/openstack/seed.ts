import { type CloudUser, PROJECTS, REGION, USERS } from './accounts';
import { CloudClient } from './cloud-client';
import { callCloud } from './http';

/** What Keystone's bootstrap has not made already. */
const ROLES = ['creator', 'observer', 'service'];

/**
 * Fills a Keystone that was just bootstrapped: projects, users with their roles, and the key manager in the catalogue
 * (its address is written at each start, when its port is known).
 */
export async function seed(authUrl: string): Promise<void> {
  const token = await new CloudClient({ authUrl, keyManagerUrl: '' }).token('admin');
  const create = async (kind: string, value: Record<string, unknown>): Promise<string> => {
    const answer = await callCloud({ url: `${authUrl}/${kind}s`, token, body: { [kind]: value } });
    const made = (JSON.parse(answer.text) as Record<string, { id: string }>)[kind];
    if (!made) throw new Error(`Keystone made no ${kind}`);
    return made.id;
  };
  const roles = await existingRoles(authUrl, token);
  for (const name of ROLES) if (!roles.has(name)) roles.set(name, await create('role', { name }));
  const projects = new Map<string, string>();
  for (const name of PROJECTS) projects.set(name, await create('project', { name, domain_id: 'default' }));

  for (const user of Object.values<CloudUser>(USERS)) {
    if (user.name === USERS.admin.name) continue;
    const { name, password } = user;
    const id = await create('user', { name, password, domain_id: 'default' });
    for (const role of user.roles) {
      await callCloud({
        method: 'PUT',
        url: `${authUrl}/projects/${projects.get(user.project)}/users/${id}/roles/${roles.get(role)}`,
        token,
      });
    }
  }

  const service = await create('service', { name: 'barbican', type: 'key-manager' });
  for (const place of ['public', 'internal', 'admin']) {
    const url = 'http://127.0.0.1:1';
    await create('endpoint', { service_id: service, interface: place, region_id: REGION, url });
  }
}

async function existingRoles(authUrl: string, token: string): Promise<Map<string, string>> {
  const answer = await callCloud({ url: `${authUrl}/roles`, token });
  const { roles } = JSON.parse(answer.text) as { roles: { id: string; name: string }[] };
  return new Map(roles.map((role) => [role.name, role.id]));
}
