import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../rig';

/** "AMQP" and the version, which a connection begins with. */
const GREETING_BYTES = 8;
/** Type, channel and size; the end of a frame is one more byte. */
const HEAD_BYTES = 7;
const METHOD = 1;
const CHANNEL = 20;
const OPEN = 10;
const CLOSE = 40;
const CLOSE_OK = 41;

/** Stands before a broker, counts the channels that its clients open, and can cut their connections. */
export class BrokerProxy {
  /** Channels that were opened, and most that were open at a time, since {@link BrokerProxy.count}. */
  opened = 0;
  mostOpen = 0;
  readonly #open = new Map<Socket, Set<number>>();
  readonly #listener: Server;

  private constructor(
    private readonly broker: URL,
    readonly port: number,
  ) {
    this.#listener = createServer((client) => this.#join(client));
  }

  static async start(brokerUrl: string): Promise<BrokerProxy> {
    const proxy = new BrokerProxy(new URL(brokerUrl), await freePort());
    proxy.#listener.listen(proxy.port, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    return proxy;
  }

  /** The broker's address, through this. */
  get url(): string {
    const url = new URL(this.broker);
    url.port = String(this.port);
    return url.href;
  }

  /** Begins to count anew. */
  count(): void {
    this.opened = 0;
    this.mostOpen = 0;
  }

  /** Cuts the connections that stand; new ones are let through. */
  cut(): void {
    for (const client of this.#open.keys()) client.destroy();
  }

  async stop(): Promise<void> {
    const closed = once(this.#listener, 'close');
    this.#listener.close();
    this.cut();
    await closed;
  }

  #join(client: Socket): void {
    const server = connect(Number(this.broker.port), this.broker.hostname);
    this.#open.set(client, new Set());
    for (const [one, other] of [
      [client, server],
      [server, client],
    ]) {
      // Nagle's algorithm costs 40 ms a question, which clients and broker do without.
      one.setNoDelay(true);
      one.on('error', () => undefined);
      one.on('close', () => {
        this.#open.delete(client);
        other.destroy();
      });
    }
    let unread: Buffer = Buffer.alloc(0);
    let greeting = GREETING_BYTES;
    client.on('data', (chunk: Buffer) => {
      const skipped = Math.min(greeting, chunk.length);
      greeting -= skipped;
      unread = this.#read(client, Buffer.concat([unread, chunk.subarray(skipped)]));
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => client.write(chunk));
  }

  /** Returns what is left of a frame that has not come whole. */
  #read(client: Socket, frames: Buffer): Buffer {
    let rest = frames;
    while (rest.length >= HEAD_BYTES) {
      const size = HEAD_BYTES + rest.readUInt32BE(3) + 1;
      if (rest.length < size) break;
      if (rest.readUInt8(0) === METHOD && rest.readUInt16BE(HEAD_BYTES) === CHANNEL)
        this.#met(client, rest.readUInt16BE(1), rest.readUInt16BE(HEAD_BYTES + 2));
      rest = rest.subarray(size);
    }
    return rest;
  }

  #met(client: Socket, channel: number, method: number): void {
    if (method === OPEN) {
      this.opened += 1;
      this.#open.get(client)?.add(channel);
      this.mostOpen = Math.max(this.mostOpen, ...[...this.#open.values()].map(({ size }) => size));
    }
    if (method === CLOSE || method === CLOSE_OK) this.#open.get(client)?.delete(channel);
  }
}
