import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

/** Answers a request in the place of the real key manager. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => void;

/** What is asked for: the secret itself, or what it holds. */
export type Stage = 'metadata' | 'payload';

interface Broken {
  readonly stage: Stage;
  readonly fault: Fault;
}

/**
 * Stands before real Barbicans and passes everything on, but for the secrets that a test wants answered otherwise: the
 * key manager of a cloud that is broken, slow or hostile.
 */
export class KeyManagerFront {
  /** The paths that were asked for. */
  readonly requests: string[] = [];
  /** By secret id. */
  readonly #upstreams = new Map<string, string>();
  readonly #broken = new Map<string, Broken>();
  readonly #server: Server;
  #port = 0;

  private constructor() {
    this.#server = createServer((incoming, response) => this.#answer(incoming, response));
  }

  static async start(): Promise<KeyManagerFront> {
    const front = new KeyManagerFront();
    await front.open();
    return front;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens, again at the same port. */
  async open(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Nobody listens any more. */
  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  /** The reference of a real secret at this address; with a fault, it is answered by that at one of the two stages. */
  refOf(secretRef: string, broken?: Broken): string {
    const { origin, pathname } = new URL(secretRef);
    const id = String(pathname.split('/').at(-1));
    this.#upstreams.set(id, origin);
    if (broken !== undefined) this.#broken.set(id, broken);
    return `${this.url}${pathname}`;
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    this.requests.push(String(incoming.url));
    const [, , , id = '', rest] = String(incoming.url).split('/');
    const broken = this.#broken.get(id);
    const stage = rest === 'payload' ? 'payload' : 'metadata';
    if (broken?.stage === stage) return broken.fault(incoming, response);
    return this.passOn(incoming, response);
  }

  /** Answers as the real key manager does. */
  passOn(incoming: IncomingMessage, response: ServerResponse): void {
    const [, , , id = ''] = String(incoming.url).split('/');
    const { host: _, ...headers } = incoming.headers;
    const upstream = this.#upstreams.get(id);
    if (upstream === undefined) return void response.writeHead(404).end();
    request(`${upstream}${incoming.url}`, { headers, method: incoming.method }, (answer) => {
      response.writeHead(Number(answer.statusCode), answer.headers);
      answer.pipe(response);
    })
      .once('error', () => response.destroy())
      .end();
  }
}

/** Faults of an HTTP server, each for one request. */
export const FAULTS = {
  silent: () => undefined,
  /** A byte a second of an answer that would be good. */
  trickling: (_, response) => {
    const text = JSON.stringify({ content_types: { default: 'text/plain' } });
    response.writeHead(200, { 'content-length': text.length });
    let sent = 0;
    const timer = setInterval(() => response.write(text[(sent += 1) - 1] ?? ''), 1_000);
    response.once('close', () => clearInterval(timer));
  },
  cut: (_, response) => {
    response.writeHead(200, { 'content-length': 1_000 });
    response.write('{"content_types":', () => response.destroy());
  },
  huge: (_, response) => void response.end(Buffer.alloc(10 * 1024 * 1024, 'x')),
} as const satisfies Record<string, Fault>;

/** Answers with a body, whatever was asked for. */
export function saying(body: string | Buffer, status = 200): Fault {
  return (_, response) => void response.writeHead(status).end(body);
}
