import { type BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';

/**
 * A file that is read again when it has changed: its content, its mode, or the file that its name leads to, as it is
 * with the mounted Secrets of Kubernetes, where one symbolic link is put in the place of another.
 */
export class ChangingFile<T> {
  #read: { readonly mark: string; readonly content: Promise<T> } | null = null;
  #lookedAt = 0;
  #looking: Promise<T> | null = null;

  /**
   * @param read makes of the file what is wanted of it
   * @param lookMs milliseconds in which the file is looked at once at most, and only when somebody asks
   */
  constructor(
    private readonly path: string,
    private readonly read: (path: string) => Promise<T>,
    private readonly lookMs: number,
  ) {}

  /** What `read` makes of the file as it is now; rejects with what `read` rejects with. */
  current(): Promise<T> {
    const isFresh = performance.now() - this.#lookedAt < this.lookMs;
    if (this.#read !== null && isFresh) return this.#read.content;
    this.#looking ??= this.#look().finally(() => (this.#looking = null));
    return this.#looking;
  }

  async #look(): Promise<T> {
    const mark = await stat(this.path, { bigint: true }).then(markOf, codeOf);
    this.#lookedAt = performance.now();
    if (mark !== this.#read?.mark) {
      const content = this.read(this.path);
      // Whoever asks gets the error; nobody may ask.
      content.catch(() => undefined);
      this.#read = { mark, content };
    }
    return this.#read.content;
  }
}

function markOf({ ino, dev, size, mtimeNs, ctimeNs, mode }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs, mode].join(' ');
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}
