import { type IncomingMessage, type Server } from 'node:http';
import { type Socket } from 'node:net';

export interface ConnectionLimits {
  /** Connections in all. */
  readonly connections: number;
  /** Those of one address that have not sent the whole header of a request yet. */
  readonly silentOfAddress: number;
  /** For so long one may be silent, in milliseconds; and those that are more than that. */
  readonly headerMs: number;
  readonly hurriedMs: number;
}

const LIMITS: ConnectionLimits = {
  connections: 10_000,
  silentOfAddress: 100,
  headerMs: 10_000,
  hurriedMs: 3_000,
};

/**
 * Bounds the connections of a server before anybody is asked who he is. One that says nothing costs its caller nothing and
 * the server a descriptor: those that an address opens beyond its share have less time to send a request. None is closed at
 * once, for many callers behind one proxy may come in the same moment.
 */
export function limitConnections(server: Server, limits: ConnectionLimits = LIMITS): void {
  server.maxConnections = limits.connections;
  const silent = new Map<string, number>();
  const ends = new WeakMap<Socket, () => void>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const ofAddress = silent.get(address) ?? 0;
    silent.set(address, ofAddress + 1);
    const withinMs = ofAddress < limits.silentOfAddress ? limits.headerMs : limits.hurriedMs;
    const timer = setTimeout(() => socket.destroy(), withinMs);
    const end = (): void => {
      if (!ends.delete(socket)) return;
      clearTimeout(timer);
      const left = (silent.get(address) ?? 1) - 1;
      if (left > 0) silent.set(address, left);
      else silent.delete(address);
    };
    ends.set(socket, end);
    socket.once('close', end);
  });
  server.on('request', ({ socket }: IncomingMessage) => ends.get(socket)?.());
}
