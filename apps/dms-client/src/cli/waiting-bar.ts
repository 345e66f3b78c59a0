import { type SingleBar } from 'cli-progress';

/** Work that takes longer than this, in milliseconds, shows on a terminal that it goes on. */
const PATIENCE_MS = 2_000;
const REDRAW_MS = 1_000;

/**
 * Shows on the terminal at standard error what is waited for, for how long already and, where that has an end, how much
 * of the time is over. Begins after two seconds, and leaves nothing behind.
 */
export class WaitingBar {
  readonly #started = performance.now();
  #timer: NodeJS.Timeout;
  #bar: SingleBar | null = null;
  #stopped = false;

  /** @param limitMs after which the wait ends by itself; null where there is no such time */
  constructor(
    private readonly what: string,
    private readonly limitMs: number | null,
  ) {
    this.#timer = setTimeout(() => void this.#show(), PATIENCE_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#bar?.stop();
  }

  async #show(): Promise<void> {
    // Most commands have ended by now, and do not load it.
    const { Presets, SingleBar: Bar } = await import('cli-progress');
    if (this.#stopped) return;
    const total = this.limitMs === null ? 1 : Math.ceil(this.limitMs / 1_000);
    this.#bar = new Bar(
      {
        format:
          this.limitMs === null
            ? `dms: ${this.what} … {seconds} s`
            : `dms: ${this.what} {bar} {seconds} s of at most ${total} s`,
        barsize: 20,
        stream: process.stderr,
        clearOnComplete: true,
        hideCursor: false,
        // Signals are the command's own.
        gracefulExit: false,
      },
      Presets.legacy,
    );
    const seconds = (): number => Math.round((performance.now() - this.#started) / 1_000);
    this.#bar.start(total, Math.min(total, seconds()), { seconds: seconds() });
    this.#timer = setInterval(
      () => this.#bar?.update(this.limitMs === null ? 0 : Math.min(total, seconds()), { seconds: seconds() }),
      REDRAW_MS,
    );
  }
}
