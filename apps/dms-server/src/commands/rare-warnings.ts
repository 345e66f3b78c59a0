import { type Logger } from '@nestjs/common';

const SAME_AGAIN_MS = 30_000;

/** Logs the same sentence at most twice a minute: a broker that is away is tried every second. */
export class RareWarnings {
  #text = '';
  #at = 0;

  constructor(private readonly logger: Logger) {}

  warn(text: string): void {
    const now = Date.now();
    if (text === this.#text && now - this.#at < SAME_AGAIN_MS) return;
    this.#text = text;
    this.#at = now;
    this.logger.warn(text);
  }
}
