import { type UserName, USERS } from './accounts';
import { callCloud } from './http';

/** Where Keystone and Barbican are. */
export interface CloudAddress {
  /** Keystone, with `/v3`. */
  readonly authUrl: string;
  /** Barbican, without a version. */
  readonly keyManagerUrl: string;
}

/** How a payload is stored; Barbican takes no `application/json`. */
export interface SecretOptions {
  readonly contentType?: 'text/plain' | 'application/octet-stream';
  readonly name?: string;
  /** When Barbican shall forget it. */
  readonly expiration?: Date;
}

/**
 * What a user of the cloud does around a mount: gets a token, stores credentials as a secret. It can be made from
 * addresses alone, also in another process than the one that runs the services.
 */
export class CloudClient {
  constructor(private readonly address: CloudAddress) {}

  /** A new token of a user, for the user's own project or another in which the user has a role. */
  async token(user: UserName, project: string = USERS[user].project): Promise<string> {
    return await this.authenticate(user, { project: { name: project, domain: { id: 'default' } } });
  }

  /** A token that is good for no project: services have to refuse it. */
  async unscopedToken(user: UserName): Promise<string> {
    return await this.authenticate(user, 'unscoped');
  }

  /** Makes a token invalid from now on. */
  async revoke(token: string): Promise<void> {
    await callCloud({
      method: 'DELETE',
      url: `${this.address.authUrl}/auth/tokens`,
      token,
      headers: { 'x-subject-token': token },
    });
  }

  /** The id of a project by its name. */
  async projectId(name: string): Promise<string> {
    const token = await this.token('admin');
    const query = new URLSearchParams({ name });
    const answer = await callCloud({ url: `${this.address.authUrl}/projects?${query.toString()}`, token });
    const { projects } = JSON.parse(answer.text) as { projects: { id: string }[] };
    if (!projects[0]) throw new Error(`Keystone has no project ${name}`);
    return projects[0].id;
  }

  /** Stores a payload, an object as JSON, and returns the secret's reference. */
  async storeSecret(
    token: string,
    payload: string | Readonly<Record<string, unknown>>,
    options: SecretOptions = {},
  ): Promise<string> {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const type = options.contentType ?? 'text/plain';
    const content =
      type === 'text/plain'
        ? { payload: text, payload_content_type: type }
        : {
            payload: Buffer.from(text).toString('base64'),
            payload_content_type: type,
            payload_content_encoding: 'base64',
          };
    const answer = await callCloud({
      url: `${this.address.keyManagerUrl}/v1/secrets`,
      token,
      body: {
        name: options.name ?? 'backup-target',
        secret_type: 'opaque',
        ...content,
        ...(options.expiration ? { expiration: options.expiration.toISOString().replace('Z', '') } : {}),
      },
    });
    return (JSON.parse(answer.text) as { secret_ref: string }).secret_ref;
  }

  /** The payload of a text secret. */
  async readSecret(token: string, reference: string): Promise<string> {
    const answer = await callCloud({ url: `${reference}/payload`, token, headers: { accept: 'text/plain' } });
    return answer.text;
  }

  async deleteSecret(token: string, reference: string): Promise<void> {
    await callCloud({ method: 'DELETE', url: reference, token });
  }

  private async authenticate(user: UserName, scope: unknown): Promise<string> {
    const { name, password } = USERS[user];
    const answer = await callCloud({
      url: `${this.address.authUrl}/auth/tokens`,
      body: {
        auth: {
          identity: {
            methods: ['password'],
            password: { user: { name, password, domain: { id: 'default' } } },
          },
          scope,
        },
      },
    });
    const token = answer.headers.get('x-subject-token');
    if (token === null) throw new Error('Keystone answered without a token');
    return token;
  }
}
