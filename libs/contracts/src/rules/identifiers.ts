import { createHash } from 'node:crypto';

/** RabbitMQ names are at most 255 bytes, and a node's queue is called `dms.<host>`. */
export const MAX_HOST_BYTES = 251;
export const MAX_ID_CHARACTERS = 255;
/** The key of a table in which host and target stand before it has no room for more. */
const MAX_HOLD_CHARACTERS = 191;
/** Room is left for a suffix in the 255 bytes that a file name may have. */
const MAX_FILE_NAME_BYTES = 200;

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/u;

/**
 * What is wrong with an identifier (target, host, hold), or null. An identifier becomes part of file names, queue
 * names and log lines, hence: 1 to 255 characters, no `/`, no control character, no leading `.` or `-`. A database
 * compares texts without the spaces at their ends: with them two targets would be one.
 */
export function identifierProblem(value: unknown): string | null {
  if (value === undefined) return 'is required';
  if (typeof value !== 'string') return `must be a string, not ${typeName(value)}`;
  if (value.length === 0) return 'must not be empty';
  if (!value.isWellFormed()) return 'must be well-formed Unicode';
  if ([...value].length > MAX_ID_CHARACTERS) return `must have at most ${MAX_ID_CHARACTERS} characters`;
  if (value.includes('/')) return 'must not contain "/"';
  if (CONTROL.test(value)) return 'must not contain control characters';
  if (value.startsWith('.') || value.startsWith('-')) return 'must not begin with "." or "-"';
  if (value.endsWith(' ')) return 'must not end with a space';
  return null;
}

/** As {@link identifierProblem}, for the name of a node. */
export function hostProblem(value: unknown): string | null {
  const problem = identifierProblem(value);
  if (problem !== null) return problem;
  return Buffer.byteLength(value as string) > MAX_HOST_BYTES
    ? `must have at most ${MAX_HOST_BYTES} bytes`
    : null;
}

/** As {@link identifierProblem}, for the name of a hold. */
export function holdProblem(value: unknown): string | null {
  const problem = identifierProblem(value);
  if (problem !== null) return problem;
  return [...(value as string)].length > MAX_HOLD_CHARACTERS
    ? `must have at most ${MAX_HOLD_CHARACTERS} characters`
    : null;
}

/** What is wrong with a job id, or null: a positive integer that JavaScript and JSON keep exact. */
export function jobIdProblem(value: unknown): string | null {
  if (typeof value === 'string') return 'must be a JSON integer, not a string: send 12345, not "12345"';
  if (value === undefined) return 'is required';
  if (typeof value !== 'number') return `must be an integer, not ${typeName(value)}`;
  return Number.isSafeInteger(value) && value > 0
    ? null
    : `must be an integer from 1 to ${Number.MAX_SAFE_INTEGER}`;
}

/** The name of a target's files: the id itself where a file system takes it, else its SHA-256 in hex. */
export function fileNameOf(id: string): string {
  return Buffer.byteLength(id) <= MAX_FILE_NAME_BYTES ? id : createHash('sha256').update(id).digest('hex');
}

/** The type of a value as a person would call it: `null` and `an array` rather than `object`. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'missing';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`.replace(/^a (?=[aeiou])/, 'an ');
}
