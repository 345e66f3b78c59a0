import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { type AddressInfo } from 'node:net';

/** Somebody who wants to be sent a token: remembers everything that reaches him, at whatever port and address. */
export class Recorder {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  #heard = '';

  /** @returns the port; 0 takes any free one */
  async listen(host: string, port = 0): Promise<number> {
    const server = createServer((socket) => {
      this.#heard += `connection to ${host}\n`;
      this.#sockets.add(socket);
      socket.on('data', (data) => (this.#heard += data.toString('latin1')));
      socket.on('error', () => undefined);
      // To a client that has come so far this is a server: it answers, so that nothing is held back.
      socket.write('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    });
    server.listen(port, host);
    await once(server, 'listening');
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  /** Everything that was sent, and each connection. */
  get heard(): string {
    return this.#heard;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
  }
}
