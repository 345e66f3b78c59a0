import { Injectable } from '@nestjs/common';
import { type View } from './views/view';

export const FORMATS = ['table', 'json'] as const;
/** `table` is for people, `json` for programs: the bodies of the HTTP facade, one on a line. */
export type Format = (typeof FORMATS)[number];

/** Work that takes longer than this, in milliseconds, shows on a terminal that it goes on. */
const PATIENCE_MS = 2_000;
const REDRAW_MS = 1_000;
const CLEAR_LINE = '\r\u001b[K';

/** What commands print: results on standard output, all else on standard error. */
@Injectable()
export class Output {
  /** Prints a result. @param view makes the table of it */
  async print<T>(format: Format, body: T, view: (body: T) => View): Promise<void> {
    if (format === 'json') process.stdout.write(`${JSON.stringify(body)}\n`);
    else process.stdout.write(`${(await import('./views/table.js')).render(view(body))}\n`);
  }

  /** A line for a person that is not the result. */
  warn(message: string): void {
    process.stderr.write(`dms: warning: ${message}\n`);
  }

  /** Runs `work`; where standard error is a terminal, a line there tells what takes so long. */
  async during<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (!process.stderr.isTTY) return work();
    const started = performance.now();
    let shown = false;
    const timer = setInterval(() => {
      const elapsedMs = performance.now() - started;
      if (elapsedMs < PATIENCE_MS) return;
      shown = true;
      process.stderr.write(`${CLEAR_LINE}dms: ${what} … ${Math.round(elapsedMs / 1000)} s`);
    }, REDRAW_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      if (shown) process.stderr.write(CLEAR_LINE);
    }
  }
}
