import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { HttpReader } from './http-reader';
import { keystoneUrl } from './keystone-url';

const MAX_BODY_BYTES = 64 * 1024;
const LIMIT_MS = 1_000;

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

describe('HttpReader', () => {
  let server: Server;
  let answer: Answer;
  let seen: string[];
  let reader: HttpReader;
  let origin: string;

  beforeEach(async () => {
    seen = [];
    server = createServer((request, response) => {
      seen.push(String(request.url));
      answer(request, response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    reader = new HttpReader({ caFile: null, insecureTls: false, maxBodyBytes: MAX_BODY_BYTES });
  });
  afterEach(async () => {
    await reader.close();
    server.closeAllConnections();
    server.close();
  });

  const read = (path = '/'): ReturnType<HttpReader['get']> => reader.get(`${origin}${path}`, {}, LIMIT_MS);

  it.each([301, 302, 303, 307, 308])('gives a %i back as it is', async (status) => {
    answer = (_, response) => void response.writeHead(status, { location: `${origin}/stolen` }).end();
    expect((await read('/asked')).status).toBe(status);
    expect(seen).toEqual(['/asked']);
  });

  it('asks no proxy of the environment', async () => {
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY'];
    const before = names.map((name) => [name, process.env[name]] as const);
    const asked: Socket[] = [];
    const proxy = createTcpServer((socket) => asked.push(socket.destroy())).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = proxy.address() as AddressInfo;
    answer = (_, response) => void response.end('good');
    try {
      for (const name of names)
        process.env[name] = name === 'NODE_USE_ENV_PROXY' ? '1' : `http://127.0.0.1:${port}`;
      expect((await read()).body).toBe('good');
      expect(asked).toEqual([]);
      // The listener would have noticed.
      connect(port, '127.0.0.1').on('error', () => undefined);
      await once(proxy, 'connection');
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
      proxy.close();
    }
  });

  it.each<[string, Answer, RegExp]>([
    ['nothing', () => undefined, /^did not answer in time$/],
    [
      'a byte now and then',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1_000 });
        const timer = setInterval(() => response.write('x'), 50);
        response.once('close', () => clearInterval(timer));
      },
      /^did not answer in time$/,
    ],
    [
      'hints without end',
      (request, response) => {
        const timer = setInterval(() => request.socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 50);
        response.once('close', () => clearInterval(timer));
      },
      /^did not answer in time$|^closed the connection/,
    ],
    [
      'more than is read',
      (_, response) => void response.end(Buffer.alloc(10 * 1024 * 1024)),
      /^answered with more than 64 KiB$/,
    ],
    [
      'more, without saying how much',
      (_, response) => {
        response.write(Buffer.alloc(40 * 1024));
        response.end(Buffer.alloc(40 * 1024));
      },
      /^answered with more than 64 KiB$/,
    ],
    ['an end in the middle', (_, response) => void endsEarly(response), /^closed the connection/],
    ['no HTTP', ({ socket }) => void socket.end('\u0000\u0001garbage\r\n\r\n'), /^answered with .* no HTTP$/],
    [
      'headers without end',
      (_, response) => void response.writeHead(200, { padding: 'x'.repeat(200_000) }).end(),
      /headers/,
    ],
  ])('says what is wrong with %s', async (_, given, words) => {
    answer = given;
    await expect(read()).rejects.toThrow(words);
  });

  it('says that nobody listens', async () => {
    await expect(reader.get('http://127.0.0.1:1/', {}, LIMIT_MS)).rejects.toThrow('refuses the connection');
  });

  it('says that the authorities cannot be read, and reads them when they can', async () => {
    const options = { caFile: '/nowhere/ca.pem', insecureTls: false, maxBodyBytes: MAX_BODY_BYTES };
    await expect(new HttpReader(options).get(origin, {}, LIMIT_MS)).rejects.toThrow('DMS_CA_FILE');
    expect(seen).toEqual([]);
  });
});

function endsEarly(response: ServerResponse): void {
  response.writeHead(200, { 'content-length': 1_000 });
  response.write('{"begun":', () => response.destroy());
}

describe('keystoneUrl', () => {
  it.each([
    ['http://keystone:5000', 'http://keystone:5000/v3/auth/tokens'],
    ['http://keystone:5000/v3', 'http://keystone:5000/v3/auth/tokens'],
    ['https://cloud/identity', 'https://cloud/identity/v3/auth/tokens'],
  ])('of %s', (authUrl, url) => expect(keystoneUrl(authUrl, '/auth/tokens')).toBe(url));
});
