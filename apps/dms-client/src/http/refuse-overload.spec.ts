import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { refuseOverload } from './refuse-overload';

describe('a request while more come than can be carried out', () => {
  let server: Server;
  let room = false;
  const reached: (string | undefined)[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      reached.push(request.url);
      response.end();
    });
    refuseOverload(server, { hasRoom: () => room });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  beforeEach(() => reached.splice(0));

  const ask = (path: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, {
      headers: { 'x-request-id': 'mine' },
    });

  it.each(['/api/v1/mount', '/API/v1/mount?host=a', '/api'])(
    'is refused before anybody sees %s',
    async (path) => {
      room = false;
      const response = await ask(path);
      expect(response.status).toBe(503);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        ...{ 'retry-after': '1', 'x-request-id': 'mine', 'cache-control': 'no-store' },
        'content-security-policy': expect.stringContaining("default-src 'none'") as unknown,
      });
      expect(await response.json()).toMatchObject({ status: 'error', error_code: 'OVERLOADED' });
      expect(reached).toEqual([]);
    },
  );

  it.each(['/health/ready', '/metrics?api=1', '/'])('is answered where it asks for %s', async (path) => {
    room = false;
    expect((await ask(path)).status).toBe(200);
    expect(reached).toEqual([path]);
  });

  it('is carried out once there is room', async () => {
    room = true;
    expect((await ask('/api/v1/mount')).status).toBe(200);
    expect(reached).toEqual(['/api/v1/mount']);
  });
});
