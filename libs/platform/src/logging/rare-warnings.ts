import { type Logger } from '@nestjs/common';

const SAME_AGAIN_MS = 30_000;
/** Sentences that are remembered. */
const MAX_REMEMBERED = 32;

/** Logs the same sentence at most twice a minute: a broker that is away is tried every second. */
export class RareWarnings {
  /** When a sentence was logged, the latest last. */
  readonly #logged = new Map<string, number>();

  constructor(private readonly logger: Logger) {}

  /** @param err what failed; another message of it is another sentence */
  warn(text: string, err?: Error): void {
    const now = Date.now();
    const sentence = err === undefined ? text : `${text}: ${err.message}`;
    const before = this.#logged.get(sentence);
    if (before !== undefined && now - before < SAME_AGAIN_MS) return;
    this.#logged.delete(sentence);
    this.#logged.set(sentence, now);
    const [oldest] = this.#logged.keys();
    if (this.#logged.size > MAX_REMEMBERED) this.#logged.delete(oldest);
    this.logger.warn(err === undefined ? text : { msg: text, err });
  }
}
