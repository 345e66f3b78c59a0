import { Inject, Injectable } from '@nestjs/common';
import { DmsError, type Secret } from '@app/contracts';
import { type ServerSettings, SETTINGS } from '../../settings/server.settings';
import { type Deadline } from '../target-provider.interface';
import { HttpReader } from './http-reader';
import { asObject, parseObject, saidIn } from './openstack-error';

const KEY_MANAGER_TYPE = 'key-manager';
const CACHED_MS = 5 * 60_000;

/** Asks Keystone's catalogue where the key manager is. */
@Injectable()
export class KeystoneCatalogAdapter {
  #known: { readonly endpoints: string[]; readonly until: number } | null = null;

  constructor(
    @Inject(SETTINGS) private readonly settings: ServerSettings,
    private readonly http: HttpReader,
  ) {}

  /**
   * URLs of the key manager, of every interface and region; known for five minutes.
   *
   * @throws DmsError AUTH_EXPIRED, SECRET_UNAVAILABLE
   */
  async keyManagerEndpoints(token: Secret, deadline: Deadline): Promise<string[]> {
    if (this.#known !== null && this.#known.until > performance.now()) return this.#known.endpoints;
    const endpoints = await this.#ask(token, deadline);
    this.#known = { endpoints, until: performance.now() + CACHED_MS };
    return endpoints;
  }

  async #ask(token: Secret, deadline: Deadline): Promise<string[]> {
    const { authUrl } = this.settings;
    if (authUrl === null) {
      throw new DmsError(
        'SECRET_UNAVAILABLE',
        'This node knows no key manager: DMS_AUTH_URL or DMS_BARBICAN_URL must be set.',
      );
    }
    const base = /\/v3$/.test(authUrl) ? authUrl : `${authUrl}/v3`;
    const headers = { accept: 'application/json', 'x-auth-token': token.reveal() };
    const answer = await this.http.get('Keystone', `${base}/auth/catalog`, headers, deadline);
    if (answer.status === 401) {
      throw new DmsError(
        'AUTH_EXPIRED',
        'Keystone does not accept the token: it has expired or was revoked.',
      );
    }
    if (answer.status !== 200) {
      const said = saidIn(answer.body, token);
      throw new DmsError(
        'SECRET_UNAVAILABLE',
        `Keystone answered ${answer.status} when asked for its catalogue${said && `: ${said}`}.`,
      );
    }
    const endpoints = endpointsIn(parseObject(answer.body));
    if (endpoints.length > 0) return endpoints;
    throw new DmsError('SECRET_UNAVAILABLE', "Keystone's catalogue names no key manager (type key-manager).");
  }
}

function endpointsIn(catalog: Record<string, unknown> | null): string[] {
  const services = Array.isArray(catalog?.catalog) ? (catalog.catalog as unknown[]) : [];
  return services
    .map(asObject)
    .filter((service) => service?.type === KEY_MANAGER_TYPE)
    .flatMap((service) => (Array.isArray(service?.endpoints) ? (service.endpoints as unknown[]) : []))
    .map((endpoint) => asObject(endpoint)?.url)
    .filter((url) => typeof url === 'string' && URL.canParse(url) && /^https?:/.test(url))
    .map(String);
}
