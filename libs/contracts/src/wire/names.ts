import { createHash } from 'node:crypto';

/** Version of what this project adds to the wire; see docs/WIRE.md. */
export const PROTOCOL_VERSION = 1;

/** What a node's queue understands. `mount` and `unmount` are those of the Python system. */
export const NODE_ACTIONS = ['mount', 'unmount', 'inventory', 'probe', 'fence'] as const;
export type NodeAction = (typeof NODE_ACTIONS)[number];

/** Topic exchange (durable) of hellos and events. */
export const EVENTS_EXCHANGE = 'dms.events';
export const HELLO_PATTERN = 'hello.#';
/** What nodes see happen to their mounts. */
export const NODE_EVENT_PATTERN = 'event.#';
/** What dms-clients have written to the ledger. */
export const STATE_EVENT_PATTERN = 'state.#';
const MAX_ROUTING_KEY_BYTES = 255;

/** A node's queue: classic, durable, no arguments, as Python programs declare it. */
export function nodeQueue(host: string): string {
  return `dms.${host}`;
}

export function helloRoutingKey(host: string): string {
  return routingKey('hello', host);
}

export function nodeEventRoutingKey(kind: string, host: string): string {
  return routingKey(`event.${kind}`, host);
}

export function stateEventRoutingKey(kind: string, host: string): string {
  return routingKey(`state.${kind}`, host);
}

/** AMQP takes no longer one, and a host may be nearly as long: then its SHA-256 (hex) stands in its place. */
function routingKey(subject: string, host: string): string {
  const key = `${subject}.${host}`;
  if (Buffer.byteLength(key) <= MAX_ROUTING_KEY_BYTES) return key;
  return `${subject}.${createHash('sha256').update(host).digest('hex')}`;
}

/** An event that nobody took for this long, in milliseconds, is thrown away by the broker. */
export const EVENT_EXPIRATION_MS = 6_000;

/** A node says hello this often, in milliseconds. */
export const HELLO_INTERVAL_MS = 2_000;
/** A node that was not heard for this long, in milliseconds, is silent. */
export const HELLO_TIMEOUT_MS = 6_000;
