import { posix } from 'node:path';
import { fileNameOf, typeName } from './identifiers';
import { holdsAsciiControl } from './plain-text';

const MAX_PATH_BYTES = 1024;
const MAX_NAME_BYTES = 255;

/** What is wrong with a mountpoint by its form alone, or null: absolute, normal, no control characters. */
export function mountPathProblem(value: unknown): string | null {
  if (typeof value !== 'string') return `must be a string or null, not ${typeName(value)}`;
  if (!value.startsWith('/')) return 'must be an absolute path';
  if (!value.isWellFormed()) return 'must be well-formed Unicode';
  if (holdsAsciiControl(value)) return 'must not contain control characters';
  if (Buffer.byteLength(value) > MAX_PATH_BYTES) return `must have at most ${MAX_PATH_BYTES} bytes`;
  if (value.split('/').some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES)) {
    return `must have at most ${MAX_NAME_BYTES} bytes between two "/"`;
  }
  if (value === '/' || posix.normalize(value) !== value || value.endsWith('/')) {
    return 'must be normal: no "..", ".", "//" or trailing "/"';
  }
  return null;
}

/** True if `path` lies below one of `bases` (both normal); a base itself does not. */
export function isUnderBase(path: string, bases: readonly string[]): boolean {
  return bases.some((base) => path.startsWith(base === '/' ? base : `${base}/`));
}

/** Where a target is mounted that names no path: `<base>/<target id>`. */
export function defaultMountPath(base: string, targetId: string): string {
  return posix.join(base, fileNameOf(targetId));
}
