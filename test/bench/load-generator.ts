import { connect, type Socket } from 'node:net';
import { type Fleet } from '../fleet/fleet';

const TIMEOUT_MS = 60_000;
const END_OF_HEAD = '\r\n\r\n';

/**
 * What a load of requests is sent with: HTTP/1.1 on connections that are kept open, read no further than is needed to
 * know the status and the end of an answer. The load shares the machine with what it measures, and every client library
 * takes several times as much of it.
 */
export class LoadGenerator {
  readonly #clients: readonly { readonly url: URL; readonly idle: Connection[] }[];

  constructor(fleet: Fleet) {
    this.#clients = fleet.clients.map(({ url }) => ({ url: new URL(url), idle: [] }));
  }

  /**
   * Posts to the clients in turn.
   *
   * @throws Error with the answer's text where it is not 200
   */
  async post(turn: number, path: string, body: string): Promise<void> {
    const { status, text } = await this.#answer(turn, path, body);
    if (status !== 200) throw new Error(`${path} was answered ${status}: ${text}`);
  }

  /** As `post`. @returns the status, whatever it is @throws Error where there was no answer */
  async send(turn: number, path: string, body: string): Promise<number> {
    return (await this.#answer(turn, path, body)).status;
  }

  async #answer(turn: number, path: string, body: string): Promise<Answer> {
    const { url, idle } = this.#clients[turn % this.#clients.length];
    const connection = idle.pop() ?? new Connection(url);
    const answer = await connection.post(path, body);
    idle.push(connection);
    return answer;
  }

  close(): void {
    for (const { idle } of this.#clients) for (const connection of idle) connection.close();
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One connection, for one request at a time. */
class Connection {
  readonly #socket: Socket;
  readonly #host: string;
  #read = '';
  #settle: { readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void } | null =
    null;

  constructor({ hostname, port, host }: URL) {
    this.#host = host;
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true, timeout: TIMEOUT_MS });
    this.#socket.on('data', (data) => this.#take(data));
    this.#socket.on('timeout', () => this.#socket.destroy(new Error(`No answer for ${TIMEOUT_MS} ms`)));
    this.#socket.on('error', (error) => this.#settle?.reject(error));
    this.#socket.on('close', () => this.#settle?.reject(new Error('The connection was closed')));
  }

  post(path: string, body: string): Promise<Answer> {
    const head = `POST ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: application/json`;
    const length = Buffer.byteLength(body);
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      const sent = (error?: Error | null): void => (error ? reject(error) : undefined);
      this.#socket.write(`${head}\r\nContent-Length: ${length}${END_OF_HEAD}${body}`, sent);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** In Latin-1 a character is a byte, as the length counts them. */
  #take(data: Buffer): void {
    this.#read += data.toString('latin1');
    const end = this.#read.indexOf(END_OF_HEAD);
    if (end < 0) return;
    const length = /\r\nContent-Length: (\d+)\r\n/i.exec(this.#read)?.[1];
    if (length === undefined) {
      this.#socket.destroy(new Error(`An answer without Content-Length: ${this.#read}`));
      return;
    }
    const text = this.#read.slice(end + END_OF_HEAD.length);
    if (text.length < Number(length)) return;
    const status = Number(this.#read.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
    this.#read = '';
    this.#settle?.resolve({ status, text });
    this.#settle = null;
  }
}
