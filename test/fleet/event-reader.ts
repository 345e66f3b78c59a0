/** An event as a subscriber of `GET /api/v1/events` reads it. */
export interface ReadEvent {
  readonly id: string;
  readonly kind: string;
  readonly host: string;
  readonly backup_target_id: string;
  readonly epoch: number;
  readonly jobids: readonly number[];
  readonly operation: { readonly action: string; readonly status: string } | null;
}

/** A subscriber that reads all that comes until it is closed. */
export class EventReader {
  readonly events: ReadEvent[] = [];
  /** All that came. */
  text = '';
  ended = false;
  readonly #reading: Promise<void>;

  private constructor(
    body: ReadableStream<Uint8Array>,
    private readonly controller: AbortController,
  ) {
    this.#reading = this.#read(body);
  }

  /** Resolves when the subscription has begun. */
  static async open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<EventReader> {
    const controller = new AbortController();
    const response = await fetch(url, { headers, signal: controller.signal });
    if (!response.ok || response.body === null)
      throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
    return new EventReader(response.body as ReadableStream<Uint8Array>, controller);
  }

  async close(): Promise<void> {
    this.controller.abort();
    await this.#reading;
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let frame = '';
    try {
      for await (const chunk of body) {
        const part = decoder.decode(chunk, { stream: true });
        this.text += part;
        const frames = (frame + part).split('\n\n');
        frame = frames.pop() ?? '';
        for (const whole of frames) this.#take(whole);
      }
    } catch {
      // It was closed, here or there.
    }
    this.ended = true;
  }

  #take(frame: string): void {
    const data = frame.split('\n').find((line) => line.startsWith('data: '));
    if (data !== undefined) this.events.push(JSON.parse(data.slice('data: '.length)) as ReadEvent);
  }
}
