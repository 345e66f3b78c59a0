import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { limitConnections } from './connection-limits';
import { refuseOverload } from './refuse-overload';

const SILENT_MS = 300;
const LIMITS = { connections: 100, ofAddress: 100, silentOfAddress: 100 };

describe('a request while more come than can be carried out', () => {
  let server: Server;
  let room = false;
  const reached: (string | undefined)[] = [];

  beforeAll(async () => {
    const carryOut: RequestListener = (request, response) => {
      reached.push(request.url);
      response.end();
    };
    server = createServer(carryOut);
    limitConnections(server, { ...LIMITS, headerMs: SILENT_MS, hurriedMs: SILENT_MS });
    refuseOverload(server, carryOut, { hasRoom: () => room });
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

  it('counts as a request: its connection is no silent one, and stays', async () => {
    room = false;
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    try {
      let answers = '';
      socket.setEncoding('utf8').on('data', (text: string) => (answers += text));
      const refusals = (): number => answers.split('HTTP/1.1 503 ').length - 1;
      const ask = async (): Promise<void> => {
        const before = refusals();
        socket.write('GET /api/v1/nodes HTTP/1.1\r\nHost: localhost\r\n\r\n');
        while (refusals() === before) await once(socket, 'data', { signal: AbortSignal.timeout(5_000) });
      };
      await ask();
      await new Promise((resolve) => setTimeout(resolve, 3 * SILENT_MS));
      await ask();
      expect(refusals()).toBe(2);
    } finally {
      socket.destroy();
    }
  });

  it('is carried out once there is room', async () => {
    room = true;
    expect((await ask('/api/v1/mount')).status).toBe(200);
    expect(reached).toEqual(['/api/v1/mount']);
  });
});
