import { existsSync, readFileSync } from 'node:fs';
import { parse as parseIni } from 'ini';

/** Which files, and which section of them; a later file wins, those that do not exist are passed over. */
export interface ConfigurationFiles {
  readonly files: readonly string[];
  /** E.g. `server`. */
  readonly section: string;
}

/** The values of the section of all files. @param problems gets what cannot be read */
export function readFiles(
  { files, section }: ConfigurationFiles,
  problems: string[],
): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const path of files.filter((candidate) => existsSync(candidate))) {
    try {
      Object.assign(merged, sectionOf(path, section) ?? {});
    } catch (error) {
      problems.push(
        `${path}: cannot be read (${(error as NodeJS.ErrnoException).code ?? 'not an INI file'})`,
      );
    }
  }
  return merged;
}

/**
 * What stands in the files and means nothing: spelling mistakes, say. Python programs had keys of their own, so that it is
 * no error. The files have been read before.
 *
 * @param known keys that mean something
 */
export function unknownInFiles({ files, section }: ConfigurationFiles, known: readonly string[]): string[] {
  return files
    .filter((path) => existsSync(path))
    .flatMap((path) => {
      const values = sectionOf(path, section);
      if (values === null)
        return readFileSync(path).length > 0 ? [`${path}: has no section [${section}]`] : [];
      return Object.keys(values)
        .filter((key) => !known.includes(key))
        .map((key) => `${path}: "${key}" is no known setting`);
    });
}

/** Null where the file has no such section. */
function sectionOf(path: string, section: string): Record<string, string> | null {
  const values: unknown = parseIni(withPlainValues(readFileSync(path, 'utf8')))[section];
  if (typeof values !== 'object' || values === null) return null;
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value)]));
}

/**
 * The text of an INI file with `;` and `#` inside of values marked as such: what begins a comment stands at the beginning
 * of a line or behind a blank. Passwords hold them.
 */
function withPlainValues(text: string): string {
  return text.replace(/(?<=\S)(?<!\\)[;#]/g, '\\$&');
}
