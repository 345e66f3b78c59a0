import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { limitConnections } from './connection-limits';

describe('connections of the HTTP facade', () => {
  let server: Server;
  let sockets: Socket[];

  beforeEach(async () => {
    sockets = [];
    server = createServer((_request, response) => response.end('answered'));
    limitConnections(server, {
      connections: 30,
      ofAddress: 25,
      silentOfAddress: 4,
      headerMs: 600,
      hurriedMs: 150,
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  const open = async (localAddress = '127.0.0.1', says = ''): Promise<Socket> => {
    const { port } = server.address() as AddressInfo;
    const accepted = once(server, 'connection');
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    socket.on('error', () => undefined);
    sockets.push(socket);
    await accepted;
    if (says !== '') socket.write(says);
    return socket;
  };
  const count = (): Promise<number> =>
    new Promise((resolve, reject) => {
      server.getConnections((error, found) => (error === null ? resolve(found) : reject(error)));
    });

  it('may be silent for a while only, and half of a header is silence', async () => {
    const closed = [await open(), await open('127.0.0.1', 'GET / HTTP/1.1\r\nHost: x\r\n')].map((socket) =>
      once(socket, 'close'),
    );
    await Promise.all(closed);
    expect(await count()).toBe(0);
  });

  it('have less time where an address opens many that say nothing; who asks is answered', async () => {
    for (let index = 0; index < 20; index += 1) await open();
    const asks = await open('127.0.0.1', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = (await once(asks, 'data')) as [Buffer];
    expect(answer.toString()).toContain('answered');
    const other = await open('127.0.0.2');
    await Promise.all(sockets.slice(4, 20).map(async (one) => one.closed || (await once(one, 'close'))));
    expect([...sockets.slice(0, 4), asks, other].map(({ closed }) => closed)).toEqual(Array(6).fill(false));
    expect(await count()).toBe(6);
  });

  it('are bounded in number in all', async () => {
    for (let index = 0; index < 30; index += 1) await open(`127.0.0.${2 + (index % 10)}`);
    const dropped = once(server, 'drop');
    const { port } = server.address() as AddressInfo;
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    sockets.push(socket);
    await dropped;
    expect(await count()).toBeLessThanOrEqual(30);
  });

  it('of one address are not all there are, also if each has asked once', async () => {
    for (let index = 0; index < 27; index += 1) await open('127.0.0.1', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await Promise.all(sockets.slice(25).map(async (one) => one.closed || (await once(one, 'close'))));
    const other = await open('127.0.0.2', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = (await once(other, 'data')) as [Buffer];
    expect(answer.toString()).toContain('answered');
    expect(await count()).toBe(26);
  });

  it('last once they have asked, as long as the keep-alive time says', async () => {
    const socket = await open('127.0.0.1', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    for (let index = 0; index < 20; index += 1) await open();
    await Promise.all(sockets.slice(1).map(async (one) => one.closed || (await once(one, 'close'))));
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain('answered');
  });
});
