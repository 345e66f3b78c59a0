import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const LOWEST = 10_000;
const ATTEMPTS = 200;

/** Ports that this process gave out: a service may not have bound its port yet when the next one asks. */
const given = new Set<number>();

/**
 * A TCP port that is free on 127.0.0.1 now.
 *
 * It lies below the range from which the kernel takes ports for outgoing connections. A port of that range can be lost
 * to any client while a service is down between `kill` and `start`; worse, a client that keeps trying a port of that
 * range while nobody listens ends up connected to itself, and the service cannot come back.
 *
 * Between this answer and the service's own bind another process can still take the port: `Service.start` then tries
 * again with others.
 */
export async function freePort(): Promise<number> {
  const highest = firstOutgoingPort();
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(LOWEST, highest);
    if (!given.has(port) && (await canBind(port))) {
      given.add(port);
      return port;
    }
  }
  throw new Error(`No free port found on 127.0.0.1 between ${LOWEST} and ${highest} in ${ATTEMPTS} attempts`);
}

/** Whether somebody listens on, or otherwise holds, this port of 127.0.0.1. */
export async function isTaken(port: number): Promise<boolean> {
  return !(await canBind(port));
}

function firstOutgoingPort(): number {
  const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/);
  const first = Number(range[0]);
  // A machine may be set up to use nearly all ports for outgoing connections: then there is nothing better.
  return first >= LOWEST + 2000 ? first : 61_000;
}

function canBind(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      else reject(error);
    });
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
