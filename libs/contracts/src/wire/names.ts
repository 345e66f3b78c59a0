import { createHash, randomUUID } from 'node:crypto';

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
/** AMQP takes no longer name of a queue or routing key. */
const MAX_NAME_BYTES = 255;
const RANDOM_PART = /^[0-9a-f]{32}$/;

/** A node's queue: classic, durable, no arguments, as Python programs declare it. */
export function nodeQueue(host: string): string {
  return `dms.${host}`;
}

/**
 * A new name for a node's command queue: exclusive, auto-delete, one for each connection.
 *
 * The random part has 32 hexadecimal digits and no dot, so that no queue of another node begins like it.
 */
export function newCommandQueue(host: string): string {
  return commandQueuePrefix(host) + randomUUID().replaceAll('-', '');
}

/**
 * The queue by which a dms-server shows that it serves this node: exclusive, never consumed. A second server cannot
 * declare it. The name looks like that of a command queue, so that the permissions of nodes allow it.
 */
export function nodeClaimQueue(host: string): string {
  return commandQueuePrefix(host) + createHash('sha256').update(host).digest('hex').slice(0, 32);
}

/** Whether a queue is a command queue of this node, and no other node's queue. */
export function isCommandQueueOf(host: string, queue: string): boolean {
  const prefix = commandQueuePrefix(host);
  if (queue === nodeClaimQueue(host)) return false;
  return queue.startsWith(prefix) && RANDOM_PART.test(queue.slice(prefix.length));
}

/** The SHA-256 (hexadecimal) of a host stands for it if the name of the queue would be too long. */
function commandQueuePrefix(host: string): string {
  const prefix = `dms.${host}.`;
  if (Buffer.byteLength(prefix) + 32 <= MAX_NAME_BYTES) return prefix;
  return `dms.${createHash('sha256').update(host).digest('hex')}.`;
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

/** A host may be nearly as long as a routing key: then its SHA-256 (hexadecimal) stands in its place. */
function routingKey(subject: string, host: string): string {
  const key = `${subject}.${host}`;
  if (Buffer.byteLength(key) <= MAX_NAME_BYTES) return key;
  return `${subject}.${createHash('sha256').update(host).digest('hex')}`;
}

/** An event that nobody took for this long, in milliseconds, is thrown away by the broker. */
export const EVENT_EXPIRATION_MS = 6_000;

/** A node says hello this often, in milliseconds. */
export const HELLO_INTERVAL_MS = 2_000;
/** A node that was not heard for this long, in milliseconds, is silent. */
export const HELLO_TIMEOUT_MS = 6_000;
