import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createPlainServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseTargetRequest, Secret } from '@app/contracts';
import { ApiCredentials, type CredentialSources } from './api-credentials';
import { HttpApi } from './http-api';

const REQUEST = parseTargetRequest(
  {
    keystone_token: 'token-1',
    job: { jobid: 1 },
    host: 'h',
    backup_target: { id: 't', type: 'nfs', filesystem_export: 'server:/a' },
  },
  'mount',
);

const NONE: CredentialSources = { apiToken: null, apiTokenFile: null, keystoneToken: null };

const GRANTED = { status: 'success', mount_path: '/base/t' };

describe('HttpApi', () => {
  let server: Server;
  let api: HttpApi;
  let url: string;
  let seen: { method?: string; url?: string; authorization?: string; token: unknown; body: string };
  let answer: (request: IncomingMessage, response: ServerResponse) => void;

  beforeEach(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const { method, url, headers } = request;
        seen = { method, url, authorization: headers.authorization, token: headers['x-auth-token'], body };
        answer(request, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    url = `http://127.0.0.1:${port}`;
    api = apiWith({ apiToken: new Secret('bearer-1') });
  });
  afterEach(async () => {
    await api.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function apiWith(sources: Partial<CredentialSources>): HttpApi {
    return new HttpApi(url, new ApiCredentials({ ...NONE, ...sources }), 100);
  }

  function answerWith(status: number, body: unknown): void {
    answer = (_, response) => response.writeHead(status).end(JSON.stringify(body));
  }

  it('sends the request with its token', async () => {
    answerWith(200, GRANTED);
    expect(await api.mount(REQUEST)).toEqual(GRANTED);
    expect(seen).toMatchObject({ method: 'POST', url: '/api/v1/mount', authorization: 'Bearer bearer-1' });
    expect(JSON.parse(seen.body)).toMatchObject({ job: { jobid: 1 }, keystone_token: 'token-1' });
  });

  it('says who calls by a Keystone token where there is no bearer token', async () => {
    answerWith(200, GRANTED);
    const anonymous = apiWith({});
    await anonymous.nodes();
    expect(seen).toMatchObject({ authorization: undefined, token: undefined });
    await anonymous.mount(REQUEST);
    await anonymous.nodes();
    expect(seen.token).toBe('token-1');
    await anonymous.close();
    const user = apiWith({ keystoneToken: new Secret('token-0') });
    await user.nodes();
    expect(seen).toMatchObject({ authorization: undefined, token: 'token-0' });
    await user.close();
  });

  it('reads the bearer token of a file anew for each request', async () => {
    answerWith(200, {});
    const directory = await mkdtemp(join(tmpdir(), 'dms-token-'));
    const apiTokenFile = join(directory, 'token');
    const fromFile = apiWith({ apiTokenFile });
    try {
      for (const token of ['first', 'second']) {
        await writeFile(apiTokenFile, `${token}\n`);
        await fromFile.nodes();
        expect(seen.authorization).toBe(`Bearer ${token}`);
      }
      await rm(apiTokenFile);
      await expect(fromFile.nodes()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    } finally {
      await fromFile.close();
      await rm(directory, { recursive: true });
    }
  });

  it('escapes what stands in a path, and leaves out what is not given', async () => {
    answerWith(200, {});
    await api.status({ jobid: '1', backup_target_id: 'a b?c' }, { host: 'h&h', verify: undefined });
    expect(seen.url).toBe('/api/v1/bindings/1/a%20b%3Fc?host=h%26h');
  });

  it('gives an error as it was answered', async () => {
    const body = {
      status: 'error',
      error_code: 'CONFLICT',
      error_msg: 'no',
      operation_id: 'o1',
      details: { a: 1 },
    };
    answerWith(409, body);
    await expect(api.mount(REQUEST)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'no',
      operationId: 'o1',
      details: { a: 1 },
    });
  });

  it('knows when something else answers', async () => {
    answer = (_, response) => response.writeHead(404).end('<html>');
    await expect(api.nodes()).rejects.toMatchObject({ code: 'WRONG_SERVICE', exitCode: 1 });
    for (const body of [{ message: 'Not Found' }, null]) {
      answerWith(404, body);
      await expect(api.nodes()).rejects.toMatchObject({ code: 'WRONG_SERVICE', exitCode: 1 });
    }
    // A proxy, while the service is away.
    answer = (_, response) => response.writeHead(503).end('<html>');
    await expect(api.mount(REQUEST)).rejects.toMatchObject({ code: 'TIMEOUT', exitCode: 75 });
  });

  it.each(['mount', 'unmount'] as const)('takes no success of another service for a %s', async (action) => {
    answerWith(200, {});
    await expect(api[action](REQUEST)).rejects.toMatchObject({
      code: 'WRONG_SERVICE',
      message: expect.stringContaining('DMS_API_URL') as unknown,
    });
  });

  it('is not deceived by a dms-server, whose errors have the same shape', async () => {
    answerWith(404, { error_code: 'NOT_FOUND', error_msg: 'There is no such resource' });
    await expect(api.nodes()).rejects.toMatchObject({ code: 'WRONG_SERVICE' });
    answer = (_, response) =>
      response
        .writeHead(404, { 'x-request-id': 'r' })
        .end('{"error_code":"NOT_FOUND","error_msg":"There is no such resource"}');
    await expect(api.nodes()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each([
    ['AMQP', Buffer.from('AMQP\0\0\x09\x01', 'latin1')],
    ['the greeting of a database', Buffer.from('\x4a\0\0\0\x0a8.0.36', 'latin1')],
  ])('knows when it is %s that answers', async (_, greeting) => {
    const other = createPlainServer((socket) => socket.on('error', () => undefined).end(greeting));
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const { port } = other.address() as AddressInfo;
    for (const protocol of ['http', 'https']) {
      const there = new HttpApi(`${protocol}://127.0.0.1:${port}`, new ApiCredentials(NONE), 100);
      await expect(there.mount(REQUEST)).rejects.toMatchObject({
        code: 'WRONG_SERVICE',
        message: expect.stringMatching(/does not speak HTTPS? .*DMS_API_URL/) as unknown,
      });
      await there.close();
    }
    other.close();
  });

  it('names DMS_CA_FILE where it cannot be read', () => {
    const tls = { caFile: '/none/ca.pem', insecureTls: false };
    expect(() => new HttpApi('https://h', new ApiCredentials(NONE), 100, tls)).toThrow(
      'DMS_CA_FILE: cannot be read (ENOENT)',
    );
  });

  it('tells what was never sent from what has an unknown outcome', async () => {
    answer = (request) => request.socket.destroy();
    await expect(api.mount(REQUEST)).rejects.toMatchObject({ code: 'TIMEOUT' });
    const nobody = new HttpApi('http://user:pass@127.0.0.1:9', new ApiCredentials(NONE), 100);
    const refused: unknown = await nobody.mount(REQUEST).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'CLIENT_UNREACHABLE', exitCode: 75 });
    expect(String(refused)).toContain('dms-client at http://127.0.0.1:9 cannot be reached');
    expect(String(refused)).not.toContain('pass');
    await nobody.close();
  });

  it('can be given up', async () => {
    const controller = new AbortController();
    answer = () => controller.abort();
    await expect(api.mount(REQUEST, controller.signal)).rejects.toMatchObject({ code: 'TIMEOUT' });
  });
});
