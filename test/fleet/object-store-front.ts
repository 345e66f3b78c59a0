import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const REQUEST = /^(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP\/1\.[01]\r$/gm;

/**
 * Stands before a real object store: counts what is asked for, holds back answers as a slow one does, and refuses requests as
 * one that is full does. It passes bytes on as they are, for what an object store sends is not always what an HTTP library takes.
 */
export class ObjectStoreFront {
  /** Method and path of each request. */
  readonly requests: string[] = [];
  /** So long the answer to a request (method and path) is held back, in milliseconds. */
  delayMs: (request: string) => number = () => 0;
  /** The status with which a request (method and path) is refused, and its connection closed; null: it is passed on. */
  refuses: ((request: string) => number | null) | null = null;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly upstream: URL,
  ) {
    server.on('connection', (client) => this.#pass(client));
  }

  /** @param upstream URL of the object store, without TLS */
  static async start(upstream: string): Promise<ObjectStoreFront> {
    const server = createServer();
    const front = new ObjectStoreFront(server, new URL(upstream));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return front;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #pass(client: Socket): void {
    const store = connect({ host: this.upstream.hostname, port: Number(this.upstream.port) });
    for (const [from, to] of [
      [client, store],
      [store, client],
    ]) {
      this.#sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    let heldUntil = 0;
    let isRefused = false;
    client.on('data', (bytes: Buffer) => {
      if (isRefused) return;
      for (const [, method, path] of bytes.toString('latin1').matchAll(REQUEST)) {
        const request = `${method} ${path}`;
        this.requests.push(request);
        heldUntil = performance.now() + this.delayMs(request);
        const status = this.refuses?.(request) ?? null;
        if (status === null) continue;
        isRefused = true;
        return void client.end(refusal(status));
      }
      store.write(bytes);
    });
    store.on('data', (bytes: Buffer) => {
      const waitMs = heldUntil - performance.now();
      if (waitMs <= 0) return void client.write(bytes);
      store.pause();
      void sleep(waitMs).then(() => {
        client.write(bytes);
        store.resume();
      });
    });
  }
}

/** As S3 puts it. */
function refusal(status: number): string {
  const code = status === 403 ? 'AccessDenied' : 'SlowDown';
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`;
  const head = `HTTP/1.1 ${status} ${code}\r\nContent-Type: application/xml\r\nContent-Length: ${body.length}`;
  return `${head}\r\nConnection: close\r\n\r\n${body}`;
}
