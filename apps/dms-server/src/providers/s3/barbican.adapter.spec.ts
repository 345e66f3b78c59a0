import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { Secret } from '@app/contracts';
import { loadServerSettings } from '../../settings/server.settings';
import { deadlineIn } from '../deadlines';
import { BarbicanAdapter } from './barbican.adapter';
import { KeystoneCatalogAdapter } from './keystone-catalog.adapter';
import { OpenStackReader } from './openstack-reader';

const ID = '8c0a3b1e-1111-4222-8333-444455556666';
const TOKEN = 'gAAAA-token';
const NOT_FOUND = JSON.stringify({ code: 404, title: 'Not Found', description: 'Secret not found.' });
const UNAUTHORIZED = JSON.stringify({ error: { code: 401, title: 'Unauthorized', message: 'No.' } });

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const answer =
  (status: number, body: string): Handler =>
  (_request, response) =>
    void response.writeHead(status).end(body);

/** The answers are those of the real services, as measured; the end-to-end tests have the services themselves. */
describe('BarbicanAdapter', () => {
  let server: Server;
  let origin: string;
  let requests: IncomingMessage[];
  let routes: Record<string, Handler>;
  let http: OpenStackReader;

  beforeEach(async () => {
    requests = [];
    server = createServer((request, response) => {
      requests.push(request);
      (routes[request.url ?? ''] ?? answer(404, NOT_FOUND))(request, response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    routes = {
      '/v3/auth/catalog': answer(
        200,
        JSON.stringify({
          catalog: [
            { type: 'identity', endpoints: [{ interface: 'public', url: 'http://keystone:5000' }] },
            { type: 'key-manager', endpoints: [{ interface: 'public', url: `${origin}/v1/` }] },
          ],
        }),
      ),
      [`/v1/secrets/${ID}`]: answer(200, JSON.stringify({ content_types: { default: 'text/plain' } })),
      [`/v1/secrets/${ID}/payload`]: answer(200, '{"bucket":"b"}'),
    };
  });

  afterEach(async () => {
    await http.onApplicationShutdown();
    server.closeAllConnections();
    server.close();
  });

  function read(
    secretRef = `${origin}/v1/secrets/${ID}`,
    settings: Record<string, string> = {},
    limitMs = 5_000,
  ): Promise<Secret> {
    return readerWith(settings).readSecret(secretRef, new Secret(TOKEN), deadlineIn(limitMs));
  }

  function readerWith(more: Record<string, string>): BarbicanAdapter {
    const env = { DMS_RABBITMQ_URL: 'amqp://none', DMS_CONFIG_FILE: '/none', DMS_AUTH_URL: `${origin}/v3` };
    const settings = loadServerSettings({ ...env, ...more });
    http = new OpenStackReader(settings);
    return new BarbicanAdapter(settings, new KeystoneCatalogAdapter(settings, http), http);
  }

  it("asks the catalogue's key manager for the payload in exactly its own type", async () => {
    expect((await read()).reveal()).toBe('{"bucket":"b"}');
    expect(requests.map(({ url, headers }) => [url, headers.accept, headers['x-auth-token']])).toEqual([
      ['/v3/auth/catalog', 'application/json', TOKEN],
      [`/v1/secrets/${ID}`, 'application/json', TOKEN],
      [`/v1/secrets/${ID}/payload`, 'text/plain', TOKEN],
    ]);
  });

  it('remembers where the key manager is', async () => {
    const reader = readerWith({});
    for (let time = 0; time < 2; time += 1) {
      await reader.readSecret(`${origin}/v1/secrets/${ID}`, new Secret(TOKEN), deadlineIn(5_000));
    }
    expect(requests.filter(({ url }) => url === '/v3/auth/catalog')).toHaveLength(1);
  });

  it('sends no token anywhere for a secret of another origin', async () => {
    const secretRef = `http://localhost:1/v1/secrets/${ID}`;
    await expect(read(secretRef, { DMS_BARBICAN_URL: origin })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      message: `backup_target.secret_ref: is not a secret of the key manager that this node trusts: ${origin}, by DMS_BARBICAN_URL of the node`,
    });
    // Keystone alone is asked, whether it is the public address of the same key manager.
    expect(requests.map(({ url }) => url)).toEqual(['/v3/auth/catalog']);
    requests = [];
    await expect(read(secretRef)).rejects.toMatchObject({
      message: expect.stringMatching(/of the Keystone catalogue; .* set DMS_BARBICAN_URL/) as string,
    });
    expect(requests.map(({ url }) => url)).toEqual(['/v3/auth/catalog']);
  });

  /** The catalogue has these URLs of the key manager, each with the secret that its path gives. */
  function manage(...urls: string[]): void {
    const endpoints = urls.map((url, index) => ({ interface: 'public', region_id: `r${index}`, url }));
    const catalog = [{ type: 'key-manager', endpoints }];
    routes = { '/v3/auth/catalog': answer(200, JSON.stringify({ catalog })) };
    for (const path of ['/one', '/two', '/two/inner', '']) {
      const type = JSON.stringify({ content_types: { default: 'text/plain' } });
      routes[`${path}/v1/secrets/${ID}`] = answer(200, type);
      routes[`${path}/v1/secrets/${ID}/payload`] = answer(200, `at ${path}`);
    }
  }

  it.each(['/one', '/two', '/two/inner'])(
    'asks, of several key managers at one origin, the one that the reference names: %s',
    async (path) => {
      manage(`${origin}/one/`, `${origin}/two/v1`, `${origin}/two/inner`, 'http://other-region:9311/');
      expect((await read(`${origin}${path}/v1/secrets/${ID}`)).reveal()).toBe(`at ${path}`);
    },
  );

  it('asks none of several key managers at one origin where the reference names no one of them', async () => {
    manage(`${origin}/one`, `${origin}/two`);
    await expect(read(`${origin}/three/v1/secrets/${ID}`)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    expect(requests.map(({ url }) => url)).toEqual(['/v3/auth/catalog']);
  });

  it.each([
    'https://public.example',
    'https://PUBLIC.example.:443',
    'http://region-two.example:9311/key-manager',
  ])(
    'reads a reference to the public address %s of the catalogue through DMS_BARBICAN_URL',
    async (address) => {
      manage('https://public.example/v1/', 'http://region-two.example:9311/key-manager');
      const settings = { DMS_BARBICAN_URL: `${origin}/one` };
      expect((await read(`${address}/v1/secrets/${ID}`, settings)).reveal()).toBe('at /one');
    },
  );

  it('follows no redirect', async () => {
    routes[`/v1/secrets/${ID}`] = (_request, response) =>
      void response.writeHead(302, { location: '/v1/stolen' }).end();
    await expect(read()).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE' });
    expect(requests.map(({ url }) => url)).not.toContain('/v1/stolen');
  });

  it.each([
    ['an expired token', answer(401, UNAUTHORIZED), 'AUTH_EXPIRED', 'expired'],
    [
      'a foreign secret',
      answer(403, JSON.stringify({ code: 403, description: `No for ${TOKEN}` })),
      'FORBIDDEN',
      'does not let the owner of the token read the secret: No for ***',
    ],
    ['an unknown secret', answer(404, NOT_FOUND), 'SECRET_UNAVAILABLE', 'Secret not found.'],
    [
      'a broken key manager',
      answer(503, 'The Keystone service is temporarily unavailable.'),
      'SECRET_UNAVAILABLE',
      '503',
    ],
    ['no JSON', answer(200, 'hello'), 'SECRET_UNAVAILABLE', 'something else'],
    ['no payload', answer(200, '{"status":"ACTIVE"}'), 'SECRET_UNAVAILABLE', 'no payload'],
    [
      'a type that is no type',
      answer(200, '{"content_types":{"default":"a\\r\\nb: c"}}'),
      'SECRET_UNAVAILABLE',
      'no payload',
    ],
    ['too much', answer(200, 'x'.repeat(100_000)), 'SECRET_UNAVAILABLE', 'more than 64 KiB'],
    [
      'a cut answer',
      ((_request, response) => response.destroy()) satisfies Handler,
      'SECRET_UNAVAILABLE',
      'closed the connection',
    ],
  ])('says what is wrong with %s, without the token', async (_name, handler, code, words) => {
    routes[`/v1/secrets/${ID}`] = handler;
    const error: unknown = await read().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, message: expect.stringContaining(words) as string });
    expect(String(error)).not.toContain(TOKEN);
  });

  it('is done with a silent one before the deadline, so that who asked is told', async () => {
    routes[`/v1/secrets/${ID}`] = () => undefined;
    const deadline = deadlineIn(2_000);
    const reading = readerWith({ DMS_BARBICAN_URL: origin }).readSecret(
      `${origin}/v1/secrets/${ID}`,
      new Secret(TOKEN),
      deadline,
    );
    await expect(reading).rejects.toMatchObject({
      code: 'SECRET_UNAVAILABLE',
      message: 'Barbican did not answer in time.',
    });
    expect(deadline.remainingMs()).toBeGreaterThan(0);
  });

  it('says that nobody listens', async () => {
    const barbican = { DMS_BARBICAN_URL: 'http://127.0.0.1:1' };
    await expect(read(`http://127.0.0.1:1/v1/secrets/${ID}`, barbican)).rejects.toMatchObject({
      message: 'Barbican refuses the connection.',
    });
  });

  it('says what Keystone says', async () => {
    routes['/v3/auth/catalog'] = answer(401, UNAUTHORIZED);
    await expect(read()).rejects.toMatchObject({ code: 'AUTH_EXPIRED' });
    routes['/v3/auth/catalog'] = answer(403, JSON.stringify({ error: { message: 'No project.' } }));
    await expect(read()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    routes['/v3/auth/catalog'] = answer(200, '{"catalog":[]}');
    await expect(read()).rejects.toMatchObject({ code: 'SECRET_UNAVAILABLE' });
  });
});
