import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { DmsClient, type DmsClientOptions } from './dms-client';
import {
  AuthenticationError,
  ConflictError,
  InternalError,
  MountFailedError,
  RequestTimeoutError,
  RequestValidationError,
  ServiceUnreachableError,
} from './errors';

const REQUEST = {
  keystone_token: 'keystone-hush',
  job: { jobid: 1, progress: 0 },
  host: 'h',
  backup_target: { id: 't', type: 'nfs' as const, filesystem_export: 'server:/a' },
};
const GRANTED = { status: 'success', mount_path: '/base/t' };

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
}

type Answer = (response: ServerResponse) => void;

describe('DmsClient', () => {
  let server: Server;
  let url: string;
  let seen: Seen[];
  /** One for each request; the last one stays. */
  let answers: Answer[];
  const clients: DmsClient[] = [];

  beforeEach(async () => {
    seen = [];
    answers = [];
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (piece: Buffer) => (text += piece.toString()));
      request.on('end', () => {
        const { method = '', url: path = '', headers } = request;
        seen.push({ method, url: path, headers, body: JSON.parse(text || '{}') as Record<string, unknown> });
        (answers.length > 1 ? answers.shift() : answers[0])?.(response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function client(options: Partial<DmsClientOptions> = {}): DmsClient {
    const made = new DmsClient({ url, ...options });
    clients.push(made);
    return made;
  }

  function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
    return (response) => response.writeHead(status, headers).end(JSON.stringify(body));
  }

  function failure(status: number, code: string, more = {}, headers = {}): Answer {
    return json(status, { status: 'error', error_msg: 'words', error_code: code, ...more }, headers);
  }

  const lost: Answer = (response) => response.destroy();

  it('sends the request as the service knows it, whatever action stands in it', async () => {
    answers = [json(200, GRANTED)];
    expect(await client().mount({ ...REQUEST, action: 'unmount' })).toEqual(GRANTED);
    expect(seen).toMatchObject([
      { method: 'POST', url: '/api/v1/mount', body: { ...REQUEST, action: 'mount' } },
    ]);
    expect(seen[0].headers['x-auth-token']).toBe('keystone-hush');
  });

  it('asks for a token for each request', async () => {
    answers = [json(200, GRANTED)];
    let n = 0;
    const asking = client({ token: () => Promise.resolve(`bearer-${(n += 1)}`) });
    await asking.mount(REQUEST);
    await asking.unmount(REQUEST);
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer bearer-1', 'Bearer bearer-2']);
    expect(seen[0].headers['x-auth-token']).toBeUndefined();
  });

  it('lets the keystone token stand in for that of requests', async () => {
    answers = [json(200, GRANTED)];
    await client({ keystoneToken: 'mine' }).mount({ ...REQUEST, keystone_token: undefined });
    expect(seen[0]).toMatchObject({ headers: { 'x-auth-token': 'mine' }, body: { keystone_token: 'mine' } });
  });

  it('shows no token, neither of itself nor in errors', async () => {
    answers = [failure(401, 'UNAUTHENTICATED')];
    const secretive = client({ token: 'bearer-hush', keystoneToken: 'keystone-hush' });
    const error: unknown = await secretive.mount(REQUEST).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AuthenticationError);
    await expect(client({ token: 'two\nlines-hush' }).mount(REQUEST)).rejects.toThrow(RequestValidationError);
    expect(inspect([secretive, error], { showHidden: true, depth: 20 })).not.toContain('hush');
  });

  it('repeats what may pass, under one key', async () => {
    answers = [failure(503, 'LOCK_TIMEOUT'), lost, json(502, 'a proxy'), json(200, GRANTED)];
    expect(await client().mount(REQUEST)).toEqual(GRANTED);
    expect(seen).toHaveLength(4);
    expect(new Set(seen.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });

  it('repeats a request until its time is over while proxies answer instead of the service', async () => {
    const gateway: Answer = (response) => response.writeHead(504).end('<html>Gateway Time-out</html>');
    answers = [...Array<Answer>(5).fill(gateway), json(200, GRANTED)];
    expect(await client().mount(REQUEST)).toEqual(GRANTED);
    expect(seen).toHaveLength(6);
    expect(new Set(seen.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    answers = [gateway];
    await expect(client({ timeoutMs: 3_000 }).mount(REQUEST)).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(client({ retries: 0 }).mount(REQUEST)).rejects.toMatchObject({ code: 'TIMEOUT' });
  }, 20_000);

  it.each([
    ['mount', {}],
    ['mount', { status: 'ok' }],
    ['mount', { status: 'success' }],
    ['unmount', {}],
    ['unmount', { success: true }],
  ] as const)('takes no success of another service for a %s: %j', async (action, body) => {
    answers = [json(200, body)];
    await expect(client()[action](REQUEST)).rejects.toMatchObject({
      code: 'WRONG_SERVICE',
      message: expect.stringContaining('DMS_API_URL') as string,
    });
  });

  it('asks again where the service knows no operation of a request whose outcome is unknown', async () => {
    answers = [
      failure(504, 'TIMEOUT', { operation_id: 'o-1' }),
      failure(404, 'NOT_FOUND'),
      json(200, GRANTED),
    ];
    expect(await client().mount(REQUEST)).toEqual(GRANTED);
    expect(seen.at(-1)?.headers['idempotency-key']).toBe(seen[0].headers['idempotency-key']);
  });

  it.each([
    ['CONFLICT', 409, ConflictError],
    ['MOUNT_FAILED', 502, MountFailedError],
    ['VALIDATION_FAILED', 400, RequestValidationError],
  ])('does not repeat %s, and says what can be done', async (code, status, type) => {
    answers = [failure(status, code, { operation_id: 'o-1', details: { a: 1 } })];
    const error: unknown = await client()
      .mount(REQUEST)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({
      code,
      httpStatus: status,
      operationId: 'o-1',
      details: { a: 1 },
      name: type.name,
    });
    expect((error as ConflictError).remedy).not.toBe('');
    expect(seen).toHaveLength(1);
  });

  it('waits for as long as the service says, but not beyond its time', async () => {
    answers = [failure(429, 'RATE_LIMITED', {}, { 'retry-after': '60' })];
    const began = performance.now();
    await expect(client({ timeoutMs: 30_000 }).mount(REQUEST)).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterS: 60,
    });
    expect(seen).toHaveLength(1);
    expect(performance.now() - began).toBeLessThan(10_000);
    answers = [failure(429, 'RATE_LIMITED', {}, { 'retry-after': '1' }), json(200, GRANTED)];
    const again = performance.now();
    await client().mount(REQUEST);
    expect(performance.now() - again).toBeGreaterThanOrEqual(1_000);
  });

  it('goes on asking while the service is overloaded, and not where it is to ask only once', async () => {
    const refused = failure(503, 'OVERLOADED', {}, { 'retry-after': '0' });
    answers = [refused, refused, refused, json(200, GRANTED)];
    expect(await client({ retries: 1 }).mount(REQUEST)).toEqual(GRANTED);
    expect(seen).toHaveLength(4);
    answers = [refused];
    await expect(client({ retries: 0 }).mount(REQUEST)).rejects.toMatchObject({ code: 'OVERLOADED' });
  });

  it('asks what became of a request whose outcome is unknown', async () => {
    answers = [
      failure(504, 'TIMEOUT', { operation_id: 'o-1' }),
      json(200, { status: 'executing' }),
      failure(503, 'LEDGER_UNAVAILABLE'),
      json(200, { status: 'success', response_data: GRANTED }),
    ];
    expect(await client().mount(REQUEST)).toEqual(GRANTED);
    expect(seen.map(({ url: path }) => path)).toEqual([
      '/api/v1/mount',
      '/api/v1/operations/o-1',
      '/api/v1/operations/o-1',
      '/api/v1/operations/o-1',
    ]);
  });

  it('tells how that request failed, and asks again where it succeeded without an answer', async () => {
    const unknown = failure(504, 'TIMEOUT', { operation_id: 'o-1' });
    answers = [unknown, json(200, { status: 'error', error_code: 'MOUNT_FAILED', error_msg: 'no bucket' })];
    await expect(client().mount(REQUEST)).rejects.toMatchObject({
      name: MountFailedError.name,
      message: 'no bucket',
    });
    answers = [unknown, json(200, { status: 'success', response_data: null }), json(200, GRANTED)];
    expect(await client().mount(REQUEST)).toEqual(GRANTED);
    expect(seen.at(-1)?.headers['idempotency-key']).toBe(seen.at(-3)?.headers['idempotency-key']);
  });

  it('says in the end that the outcome is unknown, and of which operation', async () => {
    answers = [failure(504, 'TIMEOUT', { operation_id: 'o-1' }), json(200, { status: 'executing' })];
    const error: unknown = await client({ timeoutMs: 1_000 })
      .mount(REQUEST)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RequestTimeoutError);
    expect(error).toMatchObject({ operationId: 'o-1' });
  });

  it('ends a call by its signal, with the reason of that', async () => {
    answers = [() => undefined];
    const controller = new AbortController();
    const call = client().mount(REQUEST, { signal: controller.signal });
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 50);
    await expect(call).rejects.toBe(reason);
    await expect(client().mount(REQUEST, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });

  it('does not repeat what is not safe to be done twice, unless it was not begun', async () => {
    answers = [failure(503, 'LEDGER_UNAVAILABLE')];
    await expect(client().cleanupStaleEntries({ hours: 1 })).rejects.toMatchObject({
      code: 'LEDGER_UNAVAILABLE',
    });
    answers = [lost];
    await expect(client().cleanupStaleEntries({ hours: 1 })).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(seen).toHaveLength(2);
    answers = [failure(429, 'RATE_LIMITED'), json(200, { cleaned: 0 })];
    expect(await client().cleanupStaleEntries({ hours: 1 })).toEqual({ cleaned: 0 });
  });

  it('says that nothing was asked for where the service cannot be reached', async () => {
    const away = new DmsClient({ url: 'http://127.0.0.1:1', retries: 0 });
    const error: unknown = await away.mount(REQUEST).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServiceUnreachableError);
    expect(String(error)).toContain('ECONNREFUSED');
    expect(await away.isReady()).toBe(false);
  });

  it.each([
    ['no JSON', 200, 'hello'],
    ['an error of another program', 404, '{"message":"not here"}'],
    ['a code of the future', 418, '{"error_code":"NEW","error_msg":"x"}'],
  ])('takes %s for no dms-client', async (_, status, text) => {
    answers = [(response) => response.writeHead(status).end(text)];
    await expect(client().operation('o-1')).rejects.toBeInstanceOf(InternalError);
  });

  it('has null for what does not exist, and all pages of what is held', async () => {
    answers = [failure(404, 'NOT_FOUND')];
    expect(await client().getMountStatus({ jobid: 1, backup_target_id: 'a b', host: 'h' })).toBeNull();
    expect(seen[0].url).toBe('/api/v1/bindings/1/a%20b?host=h');
    answers = [
      json(200, { bindings: [{ id: 1 }], next_cursor: '1' }),
      json(200, { bindings: [{ id: 2 }], next_cursor: null }),
    ];
    expect(await client().getActiveMounts({ host: 'h' })).toEqual([{ id: 1 }, { id: 2 }]);
    expect(seen.at(-1)?.url).toBe('/api/v1/bindings?host=h&mounted=true&limit=1000&cursor=1');
  });

  it('connects again to events that end, and ends with its signal', async () => {
    const event = {
      ...{ id: 'e', kind: 'mounted', host: 'h', backup_target_id: 't', epoch: 1, mount_path: '/base/t' },
      ...{ jobids: [1], operation: null, at: '2026-01-01T00:00:00Z' },
    };
    const frame = `retry: 10\n\ndata: {"kind":"of the future"}\n\nid: e\ndata: ${JSON.stringify(event)}\n\n`;
    answers = [
      (response) => response.writeHead(200).end(frame),
      failure(503, 'BROKER_UNAVAILABLE'),
      (response) => response.writeHead(200).write(frame),
    ];
    const controller = new AbortController();
    const onConnect = jest.fn();
    const heard: unknown[] = [];
    for await (const one of client().events({ host: 'h' }, { signal: controller.signal, onConnect })) {
      heard.push(one);
      if (heard.length === 2) controller.abort();
    }
    expect(heard).toEqual([event, event]);
    expect(onConnect).toHaveBeenCalledTimes(2);
    expect(seen[0].url).toBe('/api/v1/events?host=h');
    expect(seen.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, 'e', 'e']);
  });

  it('does not connect again to events that are refused', async () => {
    answers = [failure(403, 'FORBIDDEN')];
    await expect(client().events().next()).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it.each(['nonsense', 'ftp://h', 'http://user:hush@h'])(
    'refuses the address %s without repeating it',
    (address) => {
      expect(() => new DmsClient({ url: address })).toThrow(/^url: must be an http or https address/);
    },
  );
});
