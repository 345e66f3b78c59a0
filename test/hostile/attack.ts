import { connect, type Socket } from 'node:net';
import { EventReader } from '../fleet/event-reader';
import { type Fleet } from '../fleet/fleet';
import { WireClient } from '../fleet/wire-client';

const WRONG_TOKENS_A_SECOND = 90;
const WIDE_BODIES_A_SECOND = 5;
const WIDE_KEYS = 80_000;
const LEGACY_COMMANDS = 3_000;
const LEGACY_EVERY_MS = 10_000;
const HALF_OPEN = 1_000;
const HALF_OPEN_EVERY_MS = 4_000;
const STREAMS = 200;
const TICK_MS = 50;

/** Where the attackers call from, as the proxy says. */
const FROM = { 'x-forwarded-for': '192.0.2.66' };

/** One kind of attack while it goes on. */
export interface Attack {
  readonly name: string;
  /** Answers and events so far, by what they were. */
  readonly counts: ReadonlyMap<string, number>;
  end(): Promise<void>;
}

export interface Victim {
  readonly fleet: Fleet;
  /** Of the facade. */
  readonly url: string;
  readonly host: string;
  readonly brokerUrl: string;
  /** A good token of a project that has no part in the well-behaved job. */
  readonly strangersToken: string;
}

class Counts extends Map<string, number> {
  add(what: string): void {
    this.set(what, (this.get(what) ?? 0) + 1);
  }
}

/** Begins all attacks at once. */
export async function attackAll(victim: Victim): Promise<Attack[]> {
  return [
    wrongTokens(victim),
    wideBodies(victim),
    await legacyFlood(victim),
    halfOpenConnections(victim),
    eventStreams(victim),
  ];
}

/** Calls `send` so many times a second, whatever becomes of those before. */
function steadily(
  name: string,
  perSecond: number,
  send: (turn: number, signal: AbortSignal) => Promise<string>,
): Attack {
  const counts = new Counts();
  const open = new Map<AbortController, Promise<void>>();
  const began = performance.now();
  let sent = 0;
  const begin = (turn: number): void => {
    const controller = new AbortController();
    const counted = send(turn, controller.signal).then(
      (what) => counts.add(what),
      (error: Error) => counts.add(controller.signal.aborted ? 'ended' : reasonOf(error)),
    );
    open.set(
      controller,
      counted.then(() => void open.delete(controller)),
    );
  };
  const timer = setInterval(() => {
    for (const due = ((performance.now() - began) / 1000) * perSecond; sent < due; sent += 1) begin(sent);
  }, TICK_MS);
  return {
    name,
    counts,
    end: async () => {
      clearInterval(timer);
      for (const controller of open.keys()) controller.abort();
      await Promise.all(open.values());
    },
  };
}

function reasonOf({ message, cause }: Error): string {
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}

function wrongTokens({ url }: Victim): Attack {
  return steadily('wrong tokens', WRONG_TOKENS_A_SECOND, async (turn, signal) => {
    const headers = { ...FROM, 'x-auth-token': `wrong-${turn}` };
    const response = await fetch(`${url}/api/v1/bindings`, { headers, signal });
    await response.arrayBuffer();
    return String(response.status);
  });
}

/** Of a member: requests of 0.7 MB with very many keys in one object. */
function wideBodies({ url, host, strangersToken }: Victim): Attack {
  const data = Object.fromEntries(Array.from({ length: WIDE_KEYS }, (_, key) => [`k${key}`, 1]));
  const body = JSON.stringify({
    host,
    job: { jobid: 1, job_details: [{ id: 1, data }] },
    backup_target: { id: 't', type: 'nfs', filesystem_export: 'server:/x' },
  });
  return steadily('wide bodies', WIDE_BODIES_A_SECOND, async (_, signal) => {
    const headers = { ...FROM, 'x-auth-token': strangersToken, 'content-type': 'application/json' };
    const response = await fetch(`${url}/api/v1/mount`, { method: 'POST', headers, body, signal });
    await response.arrayBuffer();
    return String(response.status);
  });
}

/** Commands of Python programs that have gone, thousands at once, again and again. */
async function legacyFlood({ brokerUrl, host }: Victim): Promise<Attack> {
  const wire = await WireClient.open(brokerUrl, host);
  const counts = new Counts();
  const flood = (): void => {
    for (let command = 0; command < LEGACY_COMMANDS; command += 1) {
      const target = { id: `gone-${command}`, type: 'nfs', filesystem_export: 'server:/gone' };
      const replyTo = `amq.gen-gone-${command % 50}`;
      wire.send(
        { action: 'unmount', job: { jobid: command }, host, backup_target: target },
        { replyTo, correlationId: String(command) },
      );
      counts.add('sent');
    }
  };
  flood();
  const timer = setInterval(flood, LEGACY_EVERY_MS);
  return {
    name: 'legacy commands',
    counts,
    end: async () => {
      clearInterval(timer);
      await wire.close();
    },
  };
}

/** Connections that never send the whole head of a request. */
function halfOpenConnections({ url }: Victim): Attack {
  const counts = new Counts();
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const open = (): void => {
    while (sockets.size < HALF_OPEN) {
      const socket = connect({ host: hostname, port: Number(port) }, () => {
        counts.add('opened');
        socket.write('GET /api/v1/bindings HTTP/1.1\r\nHost: x');
      });
      sockets.add(socket);
      socket.on('error', () => counts.add('broken'));
      socket.on('close', () => {
        sockets.delete(socket);
        counts.add('closed');
      });
    }
  };
  open();
  const timer = setInterval(open, HALF_OPEN_EVERY_MS);
  return {
    name: 'half-open connections',
    counts,
    end: () => {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
      return Promise.resolve();
    },
  };
}

/** Streams of one project, more than it may have. */
function eventStreams({ url, strangersToken }: Victim): Attack {
  const counts = new Counts();
  const readers = new Set<EventReader>();
  const headers = { ...FROM, 'x-auth-token': strangersToken };
  const opening = Array.from({ length: STREAMS }, () =>
    EventReader.open(`${url}/api/v1/events`, headers).then(
      (reader) => {
        readers.add(reader);
        counts.add('opened');
      },
      (error: Error) => counts.add(/answered (\d+)/.exec(error.message)?.[1] ?? error.message),
    ),
  );
  return {
    name: 'streams of events',
    counts,
    end: async () => {
      await Promise.all(opening);
      await Promise.all([...readers].map((reader) => reader.close()));
    },
  };
}
