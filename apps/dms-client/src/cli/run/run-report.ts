import { closeSync, fstatSync, openSync } from 'node:fs';
import { describeError, reportError } from '../error-report';
import { type Format, type Output } from '../output';
import { printError, writeAll } from '../standard-error';
import { UsageError } from '../usage-error';

export interface ReportOptions {
  /** Only warnings and errors. */
  readonly quiet?: boolean;
  /** One JSON object on a line for each step; with `--format json`, too. */
  readonly json?: boolean;
  /** Where those go: the number of an open descriptor, or a file that they are appended to; else standard error. */
  readonly jsonTo?: string;
  readonly format: Format;
}

export const RUN_EVENTS = [
  'mounting',
  'mounted',
  'started',
  'broken',
  'ended',
  'unmounting',
  'unmounted',
  'warning',
  'error',
] as const;
export type RunEvent = (typeof RUN_EVENTS)[number];

const STDERR = 2;

/** What `dms run` says of itself: nothing on standard output, which is the command's. */
export class RunReport {
  private constructor(
    private readonly output: Output,
    private readonly quiet: boolean,
    private readonly json: number | null,
    private readonly ownsDescriptor: boolean,
  ) {}

  /** @throws UsageError where the events cannot go where they are to */
  static open({ quiet = false, json = false, jsonTo, format }: ReportOptions, output: Output): RunReport {
    if (jsonTo === undefined)
      return new RunReport(output, quiet, json || format === 'json' ? STDERR : null, false);
    try {
      const descriptor = /^\d{1,4}$/.test(jsonTo) ? Number(jsonTo) : openSync(jsonTo, 'a', 0o600);
      fstatSync(descriptor);
      return new RunReport(output, quiet, descriptor, !/^\d{1,4}$/.test(jsonTo));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
      throw new UsageError(`--json-to: must be an open descriptor or a file that can be written (${code})`);
    }
  }

  /**
   * Tells a step: as an event, or as a line where no bar shows that something goes on.
   *
   * @param line null: the step is told to programs only
   */
  step(event: RunEvent, line: string | null, facts: Readonly<Record<string, unknown>> = {}): void {
    if (this.json !== null) this.#write(event, facts);
    else if (line !== null && !this.quiet && !this.output.showsBars) printError(`dms: ${line}\n`);
  }

  warn(message: string, event: RunEvent = 'warning', facts: Readonly<Record<string, unknown>> = {}): void {
    if (this.json !== null) this.#write(event, { message, ...facts });
    if (this.json !== STDERR) this.output.warn(message);
  }

  /** An error, in the words of all commands. */
  error(thrown: unknown): void {
    const code = (thrown as { code?: unknown } | null)?.code;
    const facts = { code: typeof code === 'string' ? code : null, message: describeError(thrown).line };
    if (this.json !== null) this.#write('error', facts);
    if (this.json !== STDERR) reportError(thrown);
  }

  /** What is wrong and no error of the service. */
  problem(message: string): void {
    if (this.json !== null) this.#write('error', { code: null, message });
    if (this.json !== STDERR) printError(`dms: ${message}\n`);
  }

  /** Runs `work`; where bars are shown, one tells what takes so long. */
  during<T>(what: string, work: () => Promise<T>, limitMs: number | null = null): Promise<T> {
    return this.quiet || this.json === STDERR ? work() : this.output.during(what, work, limitMs);
  }

  close(): void {
    if (this.ownsDescriptor && this.json !== null) closeSync(this.json);
  }

  #write(event: RunEvent, facts: Readonly<Record<string, unknown>>): void {
    const line = JSON.stringify({ time: new Date().toISOString(), event, ...facts });
    writeAll(this.json ?? STDERR, `${line}\n`);
  }
}
