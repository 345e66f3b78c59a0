import { DmsError } from '@app/contracts';

/** Other names of a value, after what its key may begin with is taken away. */
const ALIASES: Readonly<Record<string, string>> = { region_name: 'region' };

interface Value {
  /** The key as the secret spells it. */
  readonly key: string;
  readonly value: unknown;
}

/**
 * The values of a secret's payload. A key may be written in upper or lower case, and begin with `aws_`, `vault_` or
 * `vault_s3_`: all of these have been stored. Empty texts and nulls count as absent.
 */
export class PayloadValues {
  readonly #values = new Map<string, Value>();

  /** @throws DmsError SECRET_UNAVAILABLE where two spellings of one key differ in what they say */
  constructor(payload: Record<string, unknown>) {
    for (const [key, value] of Object.entries(payload)) {
      const name = nameOf(key);
      if (value === null || value === '') continue;
      const other = this.#values.get(name);
      if (other !== undefined && other.value !== value) {
        throw unusable(`"${other.key}" and "${key}" do not say the same`);
      }
      this.#values.set(name, { key, value });
    }
  }

  /**
   * @param keys by the name under which this class knows it, how the documentation spells each
   * @throws DmsError SECRET_UNAVAILABLE that names all that are missing
   */
  require(keys: Readonly<Record<string, string>>): void {
    const missing = Object.entries(keys)
      .filter(([name]) => !this.#values.has(name))
      .map(([, documented]) => `"${documented}"`);
    if (missing.length > 0)
      throw unusable(`${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} missing`);
  }

  /** @throws DmsError SECRET_UNAVAILABLE that names the key, never its value */
  text(name: string, form?: RegExp): string | null {
    const found = this.#values.get(name);
    if (found === undefined) return null;
    const { key, value } = found;
    if (typeof value !== 'string') throw unusable(`"${key}" is not a string`);
    if (/[\r\n\0]/.test(value)) throw unusable(`"${key}" holds a line break or a NUL`);
    if (form !== undefined && !form.test(value)) throw unusable(`"${key}" has a form that is not allowed`);
    return value;
  }

  /** @throws DmsError SECRET_UNAVAILABLE */
  flag(name: string, standard: boolean): boolean {
    const found = this.#values.get(name);
    if (found === undefined) return standard;
    const { key, value } = found;
    const text = typeof value === 'boolean' || typeof value === 'string' ? String(value).toLowerCase() : '';
    if (text !== 'true' && text !== 'false') throw unusable(`"${key}" is neither true nor false`);
    return text === 'true';
  }
}

/** The error of a secret that was read and cannot be used; `problem` must hold none of its values. */
export function unusable(problem: string): DmsError {
  return new DmsError('SECRET_UNAVAILABLE', `The secret cannot be used for an S3 target: ${problem}.`);
}

function nameOf(key: string): string {
  const short = key
    .toLowerCase()
    .replace(/^vault_(s3_)?/, '')
    .replace(/^aws_/, '');
  return ALIASES[short] ?? short;
}
