import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { Logger } from '@nestjs/common';
import { Secret } from '@app/contracts';
import { KeystoneTokensAdapter } from './keystone-tokens.adapter';

Logger.overrideLogger(false);

const TOKEN = new Secret('the-token');
const EXPIRES_AT = '2030-01-01T00:00:00.000000Z';

function body(change: object = {}): string {
  const roles = [{ id: 'r', name: 'admin' }];
  return JSON.stringify({
    token: { expires_at: EXPIRES_AT, user: { id: 'u' }, project: { id: 'p' }, roles, ...change },
  });
}

describe('KeystoneTokensAdapter', () => {
  let server: Server;
  let keystone: KeystoneTokensAdapter;
  let answer: { status: number; text?: string; headers?: Record<string, string> };
  let seen: { url?: string; headers: IncomingHttpHeaders }[];

  beforeEach(async () => {
    seen = [];
    server = createServer(({ url, headers }, response) => {
      seen.push({ url, headers });
      response.writeHead(answer.status, answer.headers).end(answer.text);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    keystone = new KeystoneTokensAdapter(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
      caFile: null,
      insecureTls: false,
    });
  });
  afterEach(async () => {
    await keystone.onApplicationShutdown();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('has the token ask about itself, and tells whose it is', async () => {
    answer = { status: 200, text: body() };
    expect(await keystone.identify(TOKEN)).toEqual({
      name: 'user u of project p',
      userId: 'u',
      projectId: 'p',
      roles: ['admin'],
      proven: true,
      expiresAt: Date.parse(EXPIRES_AT),
    });
    expect(seen).toMatchObject([
      {
        url: '/v3/auth/tokens?nocatalog',
        headers: { 'x-auth-token': 'the-token', 'x-subject-token': 'the-token' },
      },
    ]);
  });

  it('takes the administrators of the admin project alone for such, where Keystone names one', async () => {
    answer = { status: 200, text: body({ is_admin_project: false }) };
    expect(await keystone.identify(TOKEN)).toMatchObject({ roles: ['member'] });
    answer = { status: 200, text: body({ is_admin_project: true }) };
    expect(await keystone.identify(TOKEN)).toMatchObject({ roles: ['admin'] });
  });

  it('tells a token without project from one with it', async () => {
    answer = { status: 200, text: body({ project: undefined, roles: undefined }) };
    expect(await keystone.identify(TOKEN)).toMatchObject({ projectId: null, roles: [] });
  });

  it.each([401, 404])('does not know a token that is answered %i', async (status) => {
    answer = { status };
    expect(await keystone.identify(TOKEN)).toBeNull();
  });

  it.each([
    ['500', { status: 500, text: 'the-token' }],
    ['429', { status: 429 }],
    ['no JSON', { status: 200, text: '<html>' }],
    ['no token', { status: 200, text: '{}' }],
    ['a token without its end', { status: 200, text: body({ expires_at: null }) }],
    ['too much', { status: 200, text: body({ padding: 'x'.repeat(300_000) }) }],
    ['another address', { status: 302, headers: { location: 'http://127.0.0.1:9/' } }],
  ])('believes in nothing where the answer is %s', async (_, given) => {
    answer = given;
    const error: unknown = await keystone.identify(TOKEN).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'AUTH_UNAVAILABLE' });
    expect(String(error)).not.toContain('the-token');
    expect(seen).toHaveLength(1);
  });
});
