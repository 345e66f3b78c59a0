/** An event as it came (WHATWG HTML, 9.2.6), without what nobody here needs. */
export interface ServerSentEvent {
  /** Null where the service has given it none. */
  readonly id: string | null;
  readonly data: string;
}

/** More than this without an empty line is no stream of events of ours. */
const MAX_FRAME_CHARACTERS = 1024 * 1024;

/** Makes events of the pieces of a stream. */
export class EventParser {
  #rest = '';
  /** Milliseconds that the service wants to pass before the next connection. */
  retryMs: number | null = null;

  /** @throws RangeError where the stream has no end of an event for too long */
  push(piece: string): ServerSentEvent[] {
    const frames = (this.#rest + piece).replace(/\r\n?/g, '\n').split('\n\n');
    this.#rest = frames.pop() ?? '';
    if (this.#rest.length > MAX_FRAME_CHARACTERS) throw new RangeError('an event has no end');
    return frames.flatMap((frame) => this.#read(frame));
  }

  #read(frame: string): ServerSentEvent[] {
    const data: string[] = [];
    let id: string | null = null;
    for (const line of frame.split('\n')) {
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (name === 'data') data.push(value);
      if (name === 'id') id = value;
      if (name === 'retry' && /^\d{1,6}$/.test(value)) this.retryMs = Number(value);
    }
    return data.length === 0 ? [] : [{ id, data: data.join('\n') }];
  }
}
