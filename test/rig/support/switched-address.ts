import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './ports';

/** An address on 127.0.0.1 behind which one server stands at a time, as a virtual address or a load balancer gives it. */
export class SwitchedAddress {
  readonly #connections = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
    private target: number,
  ) {
    server.on('connection', (client) => this.#forward(client));
  }

  /** @param target port of the server that stands behind it at first */
  static async start(target: number): Promise<SwitchedAddress> {
    const server = createServer();
    const port = await freePort();
    const address = new SwitchedAddress(server, port, target);
    server.listen({ host: '127.0.0.1', port });
    await once(server, 'listening');
    return address;
  }

  /** Cuts all connections; new ones reach the server on this port. */
  switchTo(target: number): void {
    this.target = target;
    this.#cut();
  }

  async stop(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.#cut();
    await closed;
  }

  #forward(client: Socket): void {
    const server = connect({ host: '127.0.0.1', port: this.target, noDelay: true });
    client.setNoDelay(true);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ]) {
      this.#connections.add(from);
      from.pipe(to);
      // The other side learns of it: it loses its connection, too.
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#connections.delete(from);
        to.destroy();
      });
    }
  }

  #cut(): void {
    for (const connection of this.#connections) connection.destroy();
  }
}
