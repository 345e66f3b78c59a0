import { type LogFile, LogOutput, logLoss } from './log-output';

type Written = (error: NodeJS.ErrnoException | null, written: number) => void;

const problem = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });

/** A file of which the test says how each write ends. */
class FakeFile {
  text = '';
  /** What all writes end with; null: they succeed. */
  trouble: string | null = null;
  /** The most that one write takes. */
  room = Infinity;
  syncWrites = 0;

  readonly file = {
    write: (_descriptor: number, chunk: Buffer, callback: Written): void => {
      setImmediate(() => {
        if (this.trouble === null) callback(null, this.#take(chunk));
        else callback(problem(this.trouble), 0);
      });
    },
    writeSync: (_descriptor: number, chunk: Buffer): number => {
      this.syncWrites += 1;
      if (this.trouble !== null) throw problem(this.trouble);
      return this.#take(chunk);
    },
  } as unknown as LogFile;

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }

  #take(chunk: Buffer): number {
    const part = chunk.subarray(0, this.room);
    this.text += part.toString();
    return part.length;
  }
}

const settled = async (): Promise<void> => {
  for (let n = 0; n < 20; n += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('the output of the log', () => {
  let disk: FakeFile;
  let output: LogOutput;
  beforeEach(() => {
    disk = new FakeFile();
    output = new LogOutput(1, disk.file);
  });
  afterEach(() => output.close());

  it('Lines are written in their order, also where a write takes a part.', async () => {
    disk.room = 3;
    for (const line of ['one\n', 'two\n', 'three\n']) output.write(line);
    await settled();
    expect(disk.lines).toEqual(['one', 'two', 'three']);
    expect(logLoss()).toEqual({ lines: 0, problem: null });
  });

  it.each(['ENOSPC', 'EIO', 'EPIPE', 'EDQUOT'])(
    'A write that fails with %s costs lines, which are counted, and the log goes on after it.',
    async (code) => {
      disk.trouble = code;
      output.write('lost\n');
      output.write('lost, too\n');
      await settled();
      expect(logLoss()).toEqual({ lines: 2, problem: `the log cannot be written (${code})` });
      disk.trouble = null;
      output.write('after\n');
      await settled();
      expect(disk.lines[0]).toBe('after');
      expect(JSON.parse(disk.lines[1])).toMatchObject({
        level: 'warn',
        msg: '2 line(s) of the log were lost',
      });
      expect(logLoss()).toEqual({ lines: 2, problem: null });
    },
  );

  it('A line of which a part was written when the disk became full is ended before the next one.', async () => {
    disk.room = 4;
    output.write('half a line\n');
    await new Promise((resolve) => setImmediate(resolve));
    disk.trouble = 'ENOSPC';
    await settled();
    disk.trouble = null;
    disk.room = Infinity;
    output.write('after\n');
    await settled();
    expect(disk.lines[0]).toMatch(/^half/);
    expect(disk.lines[1]).toBe('after');
    expect(logLoss().lines).toBe(1);
  });

  it('A reader that does not read costs what does not fit into one mebibyte, and nothing of what does.', async () => {
    disk.trouble = 'EAGAIN';
    const line = `${'x'.repeat(65_535)}\n`;
    for (let n = 0; n < 40; n += 1) output.write(line);
    await settled();
    const { lines, problem: why } = logLoss();
    expect(why).toBe('the reader of the log does not read');
    expect(lines).toBeGreaterThanOrEqual(23);
    expect(lines).toBeLessThanOrEqual(25);
  });

  it('At the end of the program what waits is written, and a full disk does not hold up the end.', () => {
    output.write('the last words\n');
    output.write('and more\n');
    const [end] = process.listeners('exit').slice(-1) as (() => void)[];
    disk.trouble = 'ENOSPC';
    end();
    expect(disk.syncWrites).toBe(1);
  });
});
