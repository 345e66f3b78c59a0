import { Inject, Injectable } from '@nestjs/common';
import { DmsError, type Secret } from '@app/contracts';
import { keystoneUrl } from '@app/platform';
import { type ServerSettings, SETTINGS } from '../../settings/server.settings';
import { type Deadline } from '../target-provider.interface';
import { asObject, parseObject, saidIn } from './openstack-error';
import { OpenStackReader } from './openstack-reader';

const KEY_MANAGER_TYPE = 'key-manager';
const CACHED_MS = 5 * 60_000;

/** Asks Keystone's catalogue where the key manager is. */
@Injectable()
export class KeystoneCatalogAdapter {
  #known: { readonly endpoints: readonly URL[]; readonly until: number } | null = null;

  constructor(
    @Inject(SETTINGS) private readonly settings: Pick<ServerSettings, 'authUrl'>,
    private readonly http: OpenStackReader,
  ) {}

  /**
   * URLs of the key manager to which a token may be sent, of every interface and region. Where Keystone is asked by TLS,
   * so is the key manager: a URL without it is left out.
   *
   * @throws DmsError AUTH_EXPIRED, FORBIDDEN, SECRET_UNAVAILABLE
   */
  async keyManagerEndpoints(token: Secret, deadline: Deadline): Promise<string[]> {
    const { authUrl } = this.settings;
    if (authUrl === null) {
      throw new DmsError(
        'SECRET_UNAVAILABLE',
        'This node knows no key manager: DMS_AUTH_URL or DMS_BARBICAN_URL must be set.',
      );
    }
    return usable(await this.#endpoints(authUrl, token, deadline), authUrl);
  }

  /**
   * URLs by which the catalogue names the key manager, for comparing alone: not each may be sent a token. None where this
   * node knows no Keystone.
   *
   * @throws DmsError AUTH_EXPIRED, FORBIDDEN, SECRET_UNAVAILABLE
   */
  async keyManagerNames(token: Secret, deadline: Deadline): Promise<string[]> {
    const { authUrl } = this.settings;
    if (authUrl === null) return [];
    return (await this.#endpoints(authUrl, token, deadline)).map(({ href }) => href);
  }

  /** Known for five minutes. */
  async #endpoints(authUrl: string, token: Secret, deadline: Deadline): Promise<readonly URL[]> {
    if (this.#known !== null && this.#known.until > performance.now()) return this.#known.endpoints;
    const endpoints = endpointsIn(await this.#ask(authUrl, token, deadline));
    // What names none is not worth keeping.
    if (endpoints.length > 0) this.#known = { endpoints, until: performance.now() + CACHED_MS };
    return endpoints;
  }

  async #ask(authUrl: string, token: Secret, deadline: Deadline): Promise<Record<string, unknown> | null> {
    const headers = { accept: 'application/json', 'x-auth-token': token.reveal() };
    const url = keystoneUrl(authUrl, '/auth/catalog');
    const { status, body } = await this.http.get('Keystone', url, headers, deadline);
    if (status === 200) return parseObject(body);
    if (status === 401) {
      throw new DmsError(
        'AUTH_EXPIRED',
        'Keystone does not accept the token: it has expired or was revoked.',
      );
    }
    const said = saidIn(body, token);
    const text = `Keystone answered ${status} when asked for its catalogue${said && `: ${said}`}`;
    throw new DmsError(status === 403 ? 'FORBIDDEN' : 'SECRET_UNAVAILABLE', text);
  }
}

/** @throws DmsError SECRET_UNAVAILABLE where none is left */
function usable(endpoints: readonly URL[], authUrl: string): string[] {
  if (endpoints.length === 0) {
    throw new DmsError('SECRET_UNAVAILABLE', "Keystone's catalogue names no key manager (type key-manager).");
  }
  const isSafe = ({ protocol }: URL): boolean =>
    protocol === 'https:' || new URL(authUrl).protocol === 'http:';
  const safe = endpoints.filter(isSafe);
  if (safe.length > 0) return safe.map(({ href }) => href);
  const text =
    "Keystone's catalogue names the key manager by http:// alone, and Keystone itself is asked by TLS: no token is sent in clear. Set DMS_BARBICAN_URL if that is right.";
  throw new DmsError('SECRET_UNAVAILABLE', text);
}

function endpointsIn(catalog: Record<string, unknown> | null): URL[] {
  const services = Array.isArray(catalog?.catalog) ? (catalog.catalog as unknown[]) : [];
  return services
    .map(asObject)
    .filter((service) => service?.type === KEY_MANAGER_TYPE)
    .flatMap((service) => (Array.isArray(service?.endpoints) ? (service.endpoints as unknown[]) : []))
    .map((endpoint) => asObject(endpoint)?.url)
    .filter((url) => typeof url === 'string')
    .filter((url) => URL.canParse(url))
    .map((url) => new URL(url))
    .filter(isPlain);
}

function isPlain({ protocol, username, password, search, hash }: URL): boolean {
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === '');
}
