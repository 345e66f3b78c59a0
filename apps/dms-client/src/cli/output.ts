import { isatty } from 'node:tty';
import { Injectable } from '@nestjs/common';
import { printError } from './standard-error';
import { type View } from './views/view';
import { oneOf } from './usage-error';
import { WaitingBar } from './waiting-bar';

export const FORMATS = ['table', 'json'] as const;
/** `table` is for people, `json` for programs: the bodies of the HTTP facade, one on a line. */
export type Format = (typeof FORMATS)[number];

export const PROGRESS = ['auto', 'never'] as const;
/** `auto`: on a terminal, whatever takes longer than two seconds shows that it goes on. */
export type Progress = (typeof PROGRESS)[number];

/** @throws UsageError */
export function asFormat(value: string): Format {
  return oneOf('--format', value, FORMATS);
}

/** @throws UsageError */
export function asProgress(value: string): Progress {
  return oneOf('--progress', value, PROGRESS);
}

/** What commands print: results on standard output, all else on standard error. */
@Injectable()
export class Output {
  progress: Progress = 'auto';

  /** Prints a result. @param view makes the table of it */
  async print<T>(format: Format, body: T, view: (body: T) => View): Promise<void> {
    if (format === 'json') process.stdout.write(`${JSON.stringify(body)}\n`);
    else process.stdout.write(`${(await import('./views/table.js')).render(view(body))}\n`);
  }

  /** A line for a person that is not the result. */
  warn(message: string): void {
    printError(`dms: warning: ${message}\n`);
  }

  /** Whether progress is shown as a bar. */
  get showsBars(): boolean {
    return this.progress === 'auto' && isatty(2);
  }

  /** Runs `work`; a bar tells what takes so long. @param limitMs after which the work ends by itself, where it does */
  async during<T>(what: string, work: () => Promise<T>, limitMs: number | null = null): Promise<T> {
    if (!this.showsBars) return work();
    const bar = new WaitingBar(what, limitMs);
    try {
      return await work();
    } finally {
      bar.stop();
    }
  }
}
