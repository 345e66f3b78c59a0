import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo } from 'node:net';
import { type Certificate } from './certificates';

/** Ends TLS with a certificate and passes on to a server without it. */
export class TlsTerminator {
  #asked = 0;

  private constructor(private readonly server: Server) {}

  /** @param upstream origin of the server behind it */
  static async start(
    upstream: string,
    certificate: Certificate,
    { host = '127.0.0.1', port = 0 } = {},
  ): Promise<TlsTerminator> {
    const { certificateFile, keyFile } = certificate;
    const [cert, key] = await Promise.all([readFile(certificateFile), readFile(keyFile)]);
    const server = createServer({ cert, key });
    const terminator = new TlsTerminator(server);
    server.on('request', ({ url, method, headers: { host: _, ...headers } }, response) => {
      terminator.#asked += 1;
      request(`${upstream}${url}`, { method, headers }, (answer) => {
        response.writeHead(Number(answer.statusCode), answer.headers);
        answer.pipe(response);
      }).end();
    });
    server.listen(port, host);
    await once(server, 'listening');
    return terminator;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Requests that came through: whoever refuses the certificate sends none. */
  get asked(): number {
    return this.#asked;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
