import { type IncomingMessage } from 'node:http';
import { asStateEvent, type StateEventDto } from '../../../contracts/src/plain';
import { errorOf, ServiceError } from '../errors';
import { ConnectionFailure } from '../http/http-connection';
import { pause } from '../http/retrying';
import { pathOf, type Service } from '../http/service';
import { type EventFilter } from '../requests';
import { EventParser } from './event-parser';

/** The service says something at least every ten seconds; three times that is silence. */
const SILENCE_MS = 30_000;
const OPEN_TIMEOUT_MS = 10_000;
const RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 30_000;
const MAX_PROBLEM_CHARACTERS = 64 * 1024;

export interface EventOptions {
  /** Ends the events; the iteration then ends without an error. */
  readonly signal?: AbortSignal;
  /**
   * Called at each connection. After a break the service tells what was missed as far as it remembers it, which may not
   * be all, so that this is the moment to ask for the state.
   */
  readonly onConnect?: () => void;
  /** Called when a connection is lost, or could not be made; it is made again. */
  readonly onDisconnect?: (error: unknown) => void;
}

/**
 * What happens to mounts, holds and operations from now on. Connects again for as long as it may help.
 *
 * @throws ServiceError what the service refuses for good, bad credentials for one
 */
export async function* stateEvents(
  service: Service,
  filter: EventFilter,
  { signal, onConnect, onDisconnect }: EventOptions,
): AsyncGenerator<StateEventDto, void, undefined> {
  let failures = 0;
  const parser: Kept = { retryMs: RETRY_MS, lastEventId: null };
  const connected = (): void => {
    failures = 0;
    onConnect?.();
  };
  while (!signal?.aborted) {
    try {
      yield* oneConnection(service, filter, { signal, connected, parser });
      onDisconnect?.(null);
    } catch (error) {
      if (signal?.aborted) return;
      if (!passes(error)) throw error;
      onDisconnect?.(error);
    }
    failures += 1;
    const ceiling = Math.min(LONGEST_RETRY_MS, parser.retryMs * 2 ** (failures - 1));
    await pause(ceiling / 2 + (Math.random() * ceiling) / 2, signal).catch(() => undefined);
  }
}

/** What one connection leaves to the next. */
interface Kept {
  retryMs: number;
  lastEventId: string | null;
}

interface Connection {
  readonly signal?: AbortSignal;
  readonly connected: () => void;
  readonly parser: Kept;
}

async function* oneConnection(
  service: Service,
  filter: EventFilter,
  { signal, connected, parser: kept }: Connection,
): AsyncGenerator<StateEventDto, void, undefined> {
  const silence = new AbortController();
  let watchdog = setTimeout(() => silence.abort(), OPEN_TIMEOUT_MS);
  const either = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]);
  let response: IncomingMessage | null = null;
  try {
    response = await open(service, filter, kept.lastEventId, either);
    connected();
    const parser = new EventParser();
    response.setEncoding('utf8');
    for await (const piece of response as AsyncIterable<string>) {
      // Not while who iterates works on an event.
      clearTimeout(watchdog);
      const events = parser.push(piece);
      kept.retryMs = parser.retryMs ?? kept.retryMs;
      for (const { id, data } of events) {
        const event = asStateEvent(JSON.parse(data));
        kept.lastEventId = id ?? kept.lastEventId;
        // A kind that this version does not know is passed over.
        if (event !== null) yield event;
      }
      watchdog = setTimeout(() => silence.abort(), SILENCE_MS);
    }
  } finally {
    clearTimeout(watchdog);
    response?.destroy();
  }
}

async function open(
  service: Service,
  filter: EventFilter,
  lastEventId: string | null,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const response = await service.connection.open({
    method: 'GET',
    path: pathOf('events', { ...filter }),
    headers: {
      accept: 'text/event-stream',
      ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }),
      ...(await service.credentials.headers(null)),
    },
    signal,
  });
  if (response.statusCode === 200) return response;
  let text = '';
  for await (const piece of response.setEncoding('utf8') as AsyncIterable<string>) {
    text += piece;
    if (text.length > MAX_PROBLEM_CHARACTERS) break;
  }
  service.read({ status: response.statusCode ?? 0, headers: response.headers, text });
  throw errorOf('INTERNAL', `${service.connection.address} answered with no stream of events`);
}

function passes(error: unknown): boolean {
  if (error instanceof ServiceError) return error.exitCode === 75;
  // A connection that broke, or bytes on it that are no events.
  return (
    error instanceof ConnectionFailure ||
    error instanceof SyntaxError ||
    error instanceof RangeError ||
    isNetwork(error)
  );
}

function isNetwork(error: unknown): boolean {
  return error instanceof Error && ('code' in error || error.name === 'AbortError');
}
