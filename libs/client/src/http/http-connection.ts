import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { errorOf } from '../errors';

const CONNECT_TIMEOUT_MS = 5_000;
/** A page of a list is far smaller. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the service's address, with what needs it percent-encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** No answer came. */
export class ConnectionFailure extends Error {
  /** @param sent the request may have reached the service */
  constructor(
    readonly sent: boolean,
    readonly reason: string,
    cause: unknown,
  ) {
    super(reason, { cause });
  }
}

/** Requests to one service, over connections that are kept. */
export class HttpConnection {
  readonly #url: URL;
  readonly #agent: HttpAgent;

  /** @throws RequestValidationError for what is no http or https address */
  constructor(url: string | URL, ca?: string | Buffer | readonly (string | Buffer)[]) {
    const parsed = URL.canParse(String(url)) ? new URL(url) : null;
    if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username || parsed.password) {
      throw errorOf('VALIDATION_FAILED', 'url: must be an http or https address, without a user in it');
    }
    this.#url = parsed;
    const authorities = ca === undefined ? undefined : [ca].flat();
    this.#agent =
      parsed.protocol === 'https:'
        ? new HttpsAgent({ keepAlive: true, ca: authorities })
        : new HttpAgent({ keepAlive: true });
  }

  /** Where the service is, for messages. */
  get address(): string {
    return `${this.#url.origin}${this.#url.pathname.replace(/\/$/, '')}`;
  }

  /** @throws ConnectionFailure; the reason of the caller's signal */
  async send(call: HttpCall): Promise<HttpAnswer> {
    const timer = AbortSignal.timeout(Math.max(1, Math.ceil(call.timeoutMs)));
    const signal = call.signal === undefined ? timer : AbortSignal.any([timer, call.signal]);
    try {
      const response = await this.open({ ...call, signal });
      return { status: response.statusCode ?? 0, headers: response.headers, text: await textOf(response) };
    } catch (error) {
      call.signal?.throwIfAborted();
      throw error instanceof ConnectionFailure ? error : new ConnectionFailure(true, reasonOf(error), error);
    }
  }

  /**
   * Resolves with the head of the answer, whose body is to be read or destroyed; `signal` ends both.
   *
   * @throws ConnectionFailure
   */
  open({ method, path, headers, body, signal }: Omit<HttpCall, 'timeoutMs'>): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      let connected = false;
      const secure = this.#url.protocol === 'https:';
      const request = (secure ? httpsRequest : httpRequest)(`${this.address}${path}`, {
        method,
        agent: this.#agent,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
        signal,
      });
      request.once('socket', (socket) => {
        if (!socket.connecting) return void (connected = true);
        const timer = setTimeout(
          () => request.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })),
          CONNECT_TIMEOUT_MS,
        );
        socket.once(secure ? 'secureConnect' : 'connect', () => {
          connected = true;
          clearTimeout(timer);
        });
        socket.once('close', () => clearTimeout(timer));
      });
      request.once('response', resolve);
      request.on('error', (error) => reject(new ConnectionFailure(connected, reasonOf(error), error)));
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw Object.assign(new Error(), { code: 'the answer is too long' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function reasonOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return name === 'AbortError' || code === 'ABORT_ERR' ? 'no answer in time' : String(code ?? name);
}
