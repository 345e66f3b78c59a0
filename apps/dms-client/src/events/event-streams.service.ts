import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { DmsError, type StateEventDto } from '@app/contracts';
import { ALL_PROJECTS, type ProjectScope } from '../access/identity';
import { EventAudienceService } from './event-audience.service';
import { type EventsQueryDto, fits } from './events.dto';
import { type EventListener, EventsService } from './events.service';

const MAX_STREAMS = 1_000;
/** Of these, so many are for those alone who see all projects. */
const RESERVED_STREAMS = 50;
const MAX_STREAMS_OF_PROJECT = 100;
/** A subscriber that leaves more than this unread is cut off; it may come again. */
const MAX_UNREAD_BYTES = 256 * 1024;
/** Events of which it is not known yet whether a subscriber may see them. */
const MAX_PENDING = 1_000;
/** Proxies close a connection on which nothing comes for a minute or half of it. */
const HEARTBEAT_MS = 10_000;
/** The latest events, for subscribers whose connection broke. */
const MAX_RECENT = 500;
/** Browsers wait this long before they connect again. */
const RETRY_MS = 2_000;

/** The connection of a subscriber, as far as it is used. */
export interface EventSink {
  /** Bytes that were written and not yet taken by the network. */
  readonly writableLength: number;
  write(text: string): unknown;
  end(): unknown;
  destroy(): unknown;
  once(event: 'close', listener: () => void): unknown;
}

/** Server-sent events (WHATWG HTML, 9.2): one stream for each subscriber, with its filter. */
@Injectable()
export class EventStreamsService implements OnModuleInit, OnModuleDestroy {
  readonly #log = new Logger(EventStreamsService.name);
  /** Each with the project whose events it is told; null: all. */
  readonly #sinks = new Map<EventSink, string | null>();
  readonly #recent: StateEventDto[] = [];

  constructor(
    private readonly events: EventsService,
    private readonly audience: EventAudienceService,
  ) {}

  onModuleInit(): void {
    this.events.subscribe((event) => {
      this.#recent.push(event);
      if (this.#recent.length > MAX_RECENT) this.#recent.shift();
    });
  }

  /** @throws DmsError RATE_LIMITED where there are too many subscribers, in all or of that project */
  requireRoom({ projectId }: ProjectScope = ALL_PROJECTS): void {
    const most = projectId === null ? MAX_STREAMS : MAX_STREAMS - RESERVED_STREAMS;
    if (this.#sinks.size >= most) throw tooMany(`${most} subscribers listen to events already`);
    if (projectId === null) return;
    const ofProject = [...this.#sinks.values()].filter((other) => other === projectId).length;
    if (ofProject >= MAX_STREAMS_OF_PROJECT)
      throw tooMany(`${MAX_STREAMS_OF_PROJECT} subscribers of this project listen to events already`);
  }

  /**
   * Writes the events that fit the filter from now on, and comments between them, until the sink is closed. A
   * subscriber of one project is told what concerns that project.
   *
   * @param lastEventId id of the last event that the subscriber has had: what came after it is told first, as far as
   *   this process remembers it
   */
  open(
    filter: EventsQueryDto,
    sink: EventSink,
    { projectId }: ProjectScope = ALL_PROJECTS,
    lastEventId: string | null = null,
  ): void {
    this.#sinks.set(sink, projectId);
    const tell = (event: StateEventDto): void => {
      if (fits(filter, event)) this.#write(sink, frameOf(event));
    };
    const listener = projectId === null ? tell : this.#sieve(projectId, sink, tell);
    const unsubscribe = this.events.subscribe(listener);
    const heartbeat = setInterval(() => this.#write(sink, ': heartbeat\n\n'), HEARTBEAT_MS);
    sink.once('close', () => {
      unsubscribe();
      clearInterval(heartbeat);
      this.#sinks.delete(sink);
    });
    this.#write(sink, `retry: ${RETRY_MS}\n: events from now on\n\n`);
    for (const event of this.#after(lastEventId)) listener(event);
  }

  /** Nothing where it is not remembered, or is so much that a subscriber would be cut off for not reading it. */
  #after(eventId: string | null): StateEventDto[] {
    const at = eventId === null ? -1 : this.#recent.findIndex(({ id }) => id === eventId);
    const missed = at < 0 ? [] : this.#recent.slice(at + 1);
    const bytes = missed.reduce((sum, event) => sum + Buffer.byteLength(frameOf(event)), 0);
    return bytes > MAX_UNREAD_BYTES / 2 ? [] : missed;
  }

  /** The server does not close while a stream is open. */
  onModuleDestroy(): void {
    for (const sink of this.#sinks.keys()) sink.end();
  }

  /** Passes on, in their order, the events that a project may see. */
  #sieve(projectId: string, sink: EventSink, tell: (event: StateEventDto) => void): EventListener {
    let pending = 0;
    let last = Promise.resolve();
    const pass = async (event: StateEventDto): Promise<void> => {
      try {
        const seen = await this.audience.seenBy(projectId, event);
        if (seen !== null && this.#sinks.has(sink)) tell(seen);
      } catch (error) {
        this.#log.warn({ msg: 'Whom an event concerns cannot be said: a subscriber is cut off', err: error });
        sink.destroy();
      }
      pending -= 1;
    };
    return (event) => {
      pending += 1;
      if (pending > MAX_PENDING) sink.destroy();
      else last = last.then(() => pass(event));
    };
  }

  #write(sink: EventSink, text: string): void {
    if (sink.writableLength <= MAX_UNREAD_BYTES) {
      sink.write(text);
      return;
    }
    this.#log.warn(`A subscriber to events does not read them: it is cut off`);
    sink.destroy();
  }
}

function tooMany(what: string): DmsError {
  return new DmsError('RATE_LIMITED', `${what}; try again later`);
}

function frameOf(event: StateEventDto): string {
  // JSON holds no line break, so that one data line is enough.
  return `${line('id', event.id)}${line('event', event.kind)}${line('data', JSON.stringify(event))}\n`;
}

/** A field of a frame. What a line break in a value would begin is another field, or another frame. */
function line(field: 'id' | 'event' | 'data', value: string): string {
  return `${field}: ${value.replace(/[\r\n\0]/g, ' ')}\n`;
}
