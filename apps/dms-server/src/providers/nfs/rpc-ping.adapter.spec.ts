import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { deadlineIn } from '../deadlines';
import { RpcPing } from './rpc-ping.adapter';

const REPLY = 1;

describe('RpcPing', () => {
  let server: Server;
  let sockets: Socket[];
  let answer: (socket: Socket, call: Buffer) => void;

  beforeEach(async () => {
    answer = () => undefined;
    sockets = [];
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (call) => answer(socket, call));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  });

  const ping = (deadlineMs = 5_000): ReturnType<RpcPing['ping']> =>
    new RpcPing().ping(
      '127.0.0.1',
      (server.address() as AddressInfo).port,
      deadlineIn(deadlineMs, 'DMS_X (1 s)'),
    );

  /** The beginning of a record: its length, the id of the call, and what it is. */
  function record(call: Buffer, kind = REPLY): Buffer {
    const reply = Buffer.alloc(28);
    reply.writeUInt32BE(0x8000_0018, 0);
    reply.writeUInt32BE(call.readUInt32BE(4), 4);
    reply.writeUInt32BE(kind, 8);
    return reply;
  }

  it('calls the procedure that does nothing, and takes any reply for an answer', async () => {
    let heard: Buffer = Buffer.alloc(0);
    answer = (socket, call) => {
      heard = call;
      // In two pieces: TCP keeps no borders.
      socket.write(record(call).subarray(0, 5));
      setImmediate(() => socket.write(record(call).subarray(5)));
    };
    expect(await ping()).toEqual({ kind: 'answers' });
    expect(heard).toHaveLength(44);
    const words = Array.from({ length: 11 }, (_, index) => heard.readUInt32BE(index * 4));
    expect([words[0], ...words.slice(2)]).toEqual([0x8000_0028, 0, 2, 100_003, 4, 0, 0, 0, 0, 0]);
  });

  it('is silent where nothing comes, where something else comes, and where the connection is closed', async () => {
    expect(await ping(50)).toMatchObject({
      kind: 'silent',
      reason: 'accepts connections and does not answer within DMS_X (1 s)',
    });
    answer = (socket) => socket.write('220 this is no NFS server\r\n');
    expect(await ping(50)).toMatchObject({ kind: 'silent' });
    answer = (socket) => socket.end();
    expect(await ping()).toMatchObject({ kind: 'silent', reason: 'closes the connection' });
  });

  it('is silent at once where nobody listens', async () => {
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect(await new RpcPing().ping('127.0.0.1', port, deadlineIn(5_000))).toEqual({
      kind: 'silent',
      reason: 'cannot be reached (ECONNREFUSED)',
    });
  });
});
