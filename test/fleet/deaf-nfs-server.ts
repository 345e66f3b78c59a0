import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../rig';

const WORD = 4;
const PROCEDURE = 6 * WORD;
const LAST_FRAGMENT = 0x8000_0000;

/**
 * An NFS server that says that it is there and answers nothing else: a client that asks whether it lives is content, and
 * its mounts hang in the kernel. Only the first call of a connection can be the question whether it lives.
 */
export class DeafNfsServer {
  readonly #connections = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async start(): Promise<DeafNfsServer> {
    const port = await freePort();
    const server = createServer();
    const deaf = new DeafNfsServer(server, port);
    server.on('connection', (socket) => deaf.#serve(socket));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return deaf;
  }

  async stop(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', () => undefined);
    socket.on('data', (call: Buffer) => {
      const isQuestion = call.length >= PROCEDURE + WORD && call.readUInt32BE(PROCEDURE) === 0;
      if (isQuestion) socket.write(answerTo(call.readUInt32BE(WORD)));
    });
  }
}

/** Accepted, with no result (RFC 5531). */
function answerTo(id: number): Buffer {
  const reply = [id, 1, 0, 0, 0, 0];
  const buffer = Buffer.alloc((reply.length + 1) * WORD);
  [LAST_FRAGMENT + reply.length * WORD, ...reply].forEach((value, index) =>
    buffer.writeUInt32BE(value, index * WORD),
  );
  return buffer;
}
