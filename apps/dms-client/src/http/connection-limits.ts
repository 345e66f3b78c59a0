import { type IncomingMessage, type Server } from 'node:http';
import { type Socket } from 'node:net';

export interface ConnectionLimits {
  /** Connections in all. */
  readonly connections: number;
  /** Those of one address; a proxy is one. */
  readonly ofAddress: number;
  /** Those of one address that have not sent the whole header of a request yet. */
  readonly silentOfAddress: number;
  /** For so long one may be silent, in milliseconds; and those that are more than that. */
  readonly headerMs: number;
  readonly hurriedMs: number;
}

const LIMITS: ConnectionLimits = {
  connections: 10_000,
  ofAddress: 5_000,
  silentOfAddress: 100,
  headerMs: 10_000,
  hurriedMs: 3_000,
};

/**
 * Bounds the connections of a server before anybody is asked who he is. One that says nothing costs its caller nothing and
 * the server a descriptor: those that an address opens beyond its share have less time to send a request. None of them is closed
 * at once, for many callers behind one proxy may come in the same moment. But one address does not get all connections.
 */
export function limitConnections(server: Server, limits: ConnectionLimits = LIMITS): void {
  server.maxConnections = limits.connections;
  const open = new Map<string, number>();
  const silent = new Map<string, number>();
  const ends = new WeakMap<Socket, () => void>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    if ((open.get(address) ?? 0) >= limits.ofAddress) return socket.destroy();
    const silentBefore = silent.get(address) ?? 0;
    const [close, speak] = [counted(open, address), counted(silent, address)];
    const withinMs = silentBefore < limits.silentOfAddress ? limits.headerMs : limits.hurriedMs;
    const timer = setTimeout(() => socket.destroy(), withinMs);
    const end = (): void => {
      if (!ends.delete(socket)) return;
      clearTimeout(timer);
      speak();
    };
    ends.set(socket, end);
    socket.once('close', () => {
      end();
      close();
    });
  });
  server.on('request', ({ socket }: IncomingMessage) => ends.get(socket)?.());
}

/** Counts one more of an address. @returns what takes it back; to be called once */
function counted(counts: Map<string, number>, address: string): () => void {
  counts.set(address, (counts.get(address) ?? 0) + 1);
  return () => {
    const left = (counts.get(address) ?? 1) - 1;
    if (left > 0) counts.set(address, left);
    else counts.delete(address);
  };
}
