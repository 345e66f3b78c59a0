import * as fs from 'node:fs';

/** So much waits for a reader that is slow; what comes on top is lost. */
const WAITING_BYTES = 1_048_576;
const CHUNK_BYTES = 65_536;
const NEW_LINE = Buffer.from('\n');
const RETRY_MS = 50;
/** At the end of the program a reader is waited for so long. */
const END_MS = 1_000;
const SLOW_READER = 'the reader of the log does not read';

/** What the log of this process has lost since it began. */
export interface LogLoss {
  readonly lines: number;
  /** Why, as long as lines are being lost; null while they are written. */
  readonly problem: string | null;
}

const outputs = new Set<LogOutput>();

/** What was lost of all that this process logs. */
export function logLoss(): LogLoss {
  const losses = [...outputs].map(({ loss }) => loss);
  const lines = losses.reduce((sum, loss) => sum + loss.lines, 0);
  return { lines, problem: losses.find(({ problem }) => problem !== null)?.problem ?? null };
}

/** The calls of node:fs that it uses. */
export type LogFile = Pick<typeof fs, 'write' | 'writeSync'>;

/**
 * Where log lines go. A full disk, or a reader that is gone or does not read, costs lines, which are counted. It neither holds
 * up nor ends the program. (The destination that pino brings waits for a full disk for ever when the program ends.)
 */
export class LogOutput {
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  #retry: NodeJS.Timeout | null = null;
  /** What was written last ends amid a line. */
  #isAmidLine = false;
  /** The rest of that line was lost. */
  #isTorn = false;
  #lines = 0;
  #untold = 0;
  #problem: string | null = null;

  /** @param descriptor 1: standard output, 2: standard error */
  constructor(
    private readonly descriptor: 1 | 2,
    private readonly file: LogFile = fs,
  ) {
    outputs.add(this);
    // Node sets a pipe or a socket to non-blocking when its stream is made: else a write might keep a thread for ever.
    void (descriptor === 1 ? process.stdout : process.stderr);
    process.on('exit', this.#end);
  }

  get loss(): LogLoss {
    return { lines: this.#lines, problem: this.#problem };
  }

  /** @param line with its end */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > WAITING_BYTES) return this.#lost(1, SLOW_READER);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#next();
  }

  /** For tests; the output of a program lasts as long as the program. */
  close(): void {
    outputs.delete(this);
    process.off('exit', this.#end);
    if (this.#retry !== null) clearTimeout(this.#retry);
  }

  #next(): void {
    if (this.#isWriting || this.#retry !== null || this.#waiting.length === 0) return;
    const chunk = this.#isTorn ? Buffer.concat([NEW_LINE, this.#chunk()]) : this.#chunk();
    this.#isWriting = true;
    this.file.write(this.descriptor, chunk, (error, written) => {
      this.#isWriting = false;
      if (error === null) this.#written(chunk, written);
      else this.#failed(chunk, error);
      this.#next();
    });
  }

  /** Takes what waits first. */
  #chunk(): Buffer {
    let bytes = 0;
    let count = 0;
    while (
      count < this.#waiting.length &&
      (count === 0 || bytes + this.#waiting[count].length <= CHUNK_BYTES)
    ) {
      bytes += this.#waiting[count].length;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    const lines = this.#waiting.splice(0, count);
    return lines.length === 1 ? lines[0] : Buffer.concat(lines);
  }

  #putBack(rest: Buffer): void {
    this.#waiting.unshift(rest);
    this.#waitingBytes += rest.length;
  }

  #written(chunk: Buffer, written: number): void {
    this.#isTorn = false;
    this.#isAmidLine = written < chunk.length;
    if (this.#isAmidLine) return this.#putBack(chunk.subarray(written));
    this.#problem = null;
    if (this.#untold === 0) return;
    const lost = {
      level: 'warn',
      time: new Date().toISOString(),
      msg: `${this.#untold} line(s) of the log were lost`,
    };
    this.#untold = 0;
    this.#putBack(Buffer.from(`${JSON.stringify(lost)}\n`));
  }

  #failed(chunk: Buffer, error: NodeJS.ErrnoException): void {
    if (isFull(error)) {
      this.#putBack(this.#isTorn ? chunk.subarray(NEW_LINE.length) : chunk);
      this.#retry = setTimeout(() => {
        this.#retry = null;
        this.#next();
      }, RETRY_MS);
      // A program that has nothing else to do ends.
      this.#retry.unref();
      return;
    }
    const wasTorn = this.#isTorn;
    this.#isTorn ||= this.#isAmidLine;
    this.#isAmidLine = false;
    this.#lost(
      linesIn(chunk) - (wasTorn ? 1 : 0),
      `the log cannot be written (${error.code ?? error.message})`,
    );
  }

  #lost(lines: number, problem: string): void {
    this.#lines += lines;
    this.#untold += lines;
    this.#problem = problem;
  }

  readonly #end = (): void => {
    const endBy = performance.now() + END_MS;
    while (this.#waiting.length > 0) {
      const chunk = this.#chunk();
      try {
        const written = this.file.writeSync(this.descriptor, chunk);
        if (written < chunk.length) this.#putBack(chunk.subarray(written));
      } catch (error) {
        if (!isFull(error as NodeJS.ErrnoException) || performance.now() > endBy) return;
        this.#putBack(chunk);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
      }
    }
  };
}

function isFull({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EAGAIN';
}

function linesIn(chunk: Buffer): number {
  return chunk.filter((byte) => byte === 0x0a).length;
}
