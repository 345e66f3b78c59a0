import { inspect } from 'node:util';

const MASK = '***';

/**
 * A value that must not be seen: it prints, inspects and serialises as `***`. Only {@link Secret.reveal} gives the
 * value, so that each place where a secret leaves the process can be found by one word.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value, for the one call that needs it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}
