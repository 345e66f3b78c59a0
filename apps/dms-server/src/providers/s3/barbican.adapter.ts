import { Inject, Injectable } from '@nestjs/common';
import { DmsError, normalizeSecretRef, originOf, Secret, secretIdOf } from '@app/contracts';
import { atMost } from '../../commands/deadline';
import { type ServerSettings, SETTINGS } from '../../settings/server.settings';
import { type Deadline } from '../target-provider.interface';
import { type KeyManager } from './key-manager.interface';
import { KeystoneCatalogAdapter } from './keystone-catalog.adapter';
import { asObject, parseObject, saidIn } from './openstack-error';
import { OpenStackReader } from './openstack-reader';

/** A content type that can stand in a header. */
const CONTENT_TYPE = /^[\w.+-]+\/[\w.+-]+(; ?charset=[\w-]+)?$/;
/** Share of a request's time that a key manager gets: who waits is to be told what was wrong with it. */
const PATIENCE = 0.75;

/** Reads secrets from Barbican. */
@Injectable()
export class BarbicanAdapter implements KeyManager {
  constructor(
    @Inject(SETTINGS) private readonly settings: Pick<ServerSettings, 'barbicanUrl'>,
    private readonly catalog: KeystoneCatalogAdapter,
    private readonly http: OpenStackReader,
  ) {}

  async readSecret(secretRef: string, token: Secret, deadline: Deadline): Promise<Secret> {
    const limited = atMost(deadline, PATIENCE * deadline.remainingMs());
    const url = `${await this.#baseFor(secretRef, token, limited)}/v1/secrets/${secretIdOf(secretRef)}`;
    const metadata = parseObject(await this.#get(url, 'application/json', token, limited));
    if (metadata === null) {
      throw new DmsError('SECRET_UNAVAILABLE', 'Barbican answered with something else than a secret.');
    }
    const type = asObject(metadata.content_types)?.default;
    if (typeof type !== 'string' || !CONTENT_TYPE.test(type)) {
      throw new DmsError('SECRET_UNAVAILABLE', 'The secret in Barbican has no payload.');
    }
    // Barbican answers 406 to any other type than the payload's own, and to a list of types.
    return new Secret(await this.#get(`${url}/payload`, type, token, limited));
  }

  /**
   * The base of the key manager that the reference names. Only those of the catalogue, or that of DMS_BARBICAN_URL, are
   * ever asked: of the reference itself nothing but the secret's id is used, so that no spelling of it leads elsewhere.
   */
  async #baseFor(secretRef: string, token: Secret, deadline: Deadline): Promise<string> {
    const { barbicanUrl } = this.settings;
    if (barbicanUrl === null) {
      const endpoints = await this.catalog.keyManagerEndpoints(token, deadline);
      const base = endpointOf(secretRef, endpoints);
      if (base !== null) return base;
      throw untrusted(
        endpoints,
        'of the Keystone catalogue; to trust another one, set DMS_BARBICAN_URL on the node',
      );
    }
    const base = endpointOf(secretRef, [barbicanUrl]);
    if (base !== null) return base;
    // Barbican writes its public address into references, which a node may not reach.
    const names = await this.catalog.keyManagerNames(token, deadline);
    if (endpointOf(secretRef, names) !== null) return baseOf(barbicanUrl);
    throw untrusted([barbicanUrl], 'by DMS_BARBICAN_URL of the node');
  }

  async #get(url: string, accept: string, token: Secret, deadline: Deadline): Promise<string> {
    const headers = { accept, 'x-auth-token': token.reveal() };
    const { status, body } = await this.http.get('Barbican', url, headers, deadline);
    if (status === 200) return body;
    if (status === 401) {
      throw new DmsError(
        'AUTH_EXPIRED',
        'Barbican does not accept the token: it has expired or was revoked.',
      );
    }
    const said = saidIn(body, token);
    const text = `${sentenceFor(status)}${said && `: ${said}`}`;
    throw new DmsError(status === 403 ? 'FORBIDDEN' : 'SECRET_UNAVAILABLE', text);
  }
}

/** An endpoint in one spelling, without its version. */
function baseOf(endpoint: string): string {
  const url = new URL(endpoint);
  return `${originOf(url)}${url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')}`;
}

/**
 * The base of the endpoint whose secret it is: the one that the reference begins with. Where none does, the only one at the
 * origin of the reference, for a proxy may have another path; null: there is none, or it is not known which.
 */
function endpointOf(secretRef: string, endpoints: readonly string[]): string | null {
  const bases = [...new Set(endpoints.map(baseOf))];
  const reference = normalizeSecretRef(secretRef);
  const named = bases.find((base) => reference === `${base}/v1/secrets/${secretIdOf(secretRef)}`);
  if (named !== undefined) return named;
  const origin = originOf(new URL(secretRef));
  const near = bases.filter((base) => new URL(base).origin === origin);
  return near.length === 1 ? near[0] : null;
}

function untrusted(endpoints: readonly string[], remedy: string): DmsError {
  const known = [...new Set(endpoints.map(baseOf))].join(', ');
  const problem = `is not a secret of the key manager that this node trusts: ${known}, ${remedy}`;
  return DmsError.validation([{ field: 'backup_target.secret_ref', problem }]);
}

function sentenceFor(status: number): string {
  switch (status) {
    case 403:
      return 'Barbican does not let the owner of the token read the secret';
    case 404:
      return 'Barbican has no such secret, or it has no payload';
    default:
      return `Barbican answered ${status} when asked for the secret`;
  }
}
