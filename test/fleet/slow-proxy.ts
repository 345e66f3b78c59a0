import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../rig';

/** Stands before a server; what the server says arrives `delayMs` later, in order. */
export class SlowProxy {
  delayMs = 0;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly listener: Server,
    readonly port: number,
  ) {}

  static async start(serverPort: number): Promise<SlowProxy> {
    const port = await freePort();
    const listener = createServer();
    const proxy = new SlowProxy(listener, port);
    listener.on('connection', (client) => proxy.#join(client, connect(serverPort, '127.0.0.1')));
    listener.listen(port, '127.0.0.1');
    await once(listener, 'listening');
    return proxy;
  }

  async stop(): Promise<void> {
    const closed = once(this.listener, 'close');
    this.listener.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(client: Socket, server: Socket): void {
    for (const [one, other] of [
      [client, server],
      [server, client],
    ]) {
      this.#sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    client.on('data', (chunk: Buffer) => server.write(chunk));
    server.on('data', (chunk: Buffer) => {
      setTimeout(() => client.writable && client.write(chunk), this.delayMs);
    });
  }
}
