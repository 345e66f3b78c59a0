/** The command was called in a wrong way; the message names the option or argument. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** @throws UsageError that names the option and the words it takes */
export function oneOf<T extends string>(option: string, value: string, words: readonly T[]): T {
  const word = words.find((candidate) => candidate === value);
  if (word === undefined) throw new UsageError(`${option}: must be one of ${words.join(', ')}`);
  return word;
}
