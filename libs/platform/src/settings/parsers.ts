import { accessSync, constants } from 'node:fs';
import { isAbsolute, normalize } from 'node:path';
import { Secret } from '@app/contracts';

/** Parsers of setting texts. Their errors say what would be right and never repeat the text. */

export function asText(text: string): string {
  return text;
}

export function asSecret(text: string): Secret {
  return new Secret(text);
}

export function asBoolean(text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw new Error('must be true or false');
}

/** A parser of whole numbers from `least` to `most`. */
export function asInteger(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || value < least || value > most) {
      throw new Error(`must be a whole number from ${least} to ${most}`);
    }
    return value;
  };
}

/** A parser of seconds, which may have a fraction, into milliseconds. */
export function asSeconds(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+(\.\d+)?$/.test(text) || value < least || value > most) {
      throw new Error(`must be seconds from ${least} to ${most}`);
    }
    return Math.round(value * 1000);
  };
}

export function asPort(text: string): number {
  return asInteger(0, 65_535)(text);
}

/** A file of certificates or keys, which is read later. */
export function asReadableFile(text: string): string {
  try {
    accessSync(text, constants.R_OK);
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new Error(`must be a file that can be read (${code})`, { cause: error });
  }
  return text;
}

export function asDirectory(text: string): string {
  if (!isAbsolute(text)) throw new Error('must be an absolute path');
  const path = normalize(text);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

export function asDirectories(text: string): string[] {
  const directories = text.split(',').map((part) => asDirectory(part.trim()));
  if (directories.includes('/')) throw new Error('must not be the root directory');
  return directories;
}

export function asHttpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error('must be an http or https URL');
  // It is printed, and sent on; tokens have settings of their own.
  if (url.username !== '' || url.password !== '') throw new Error('must not carry a user or password');
  return text.replace(/\/+$/, '');
}

/** A parser of one of `words`; upper and lower case are the same. */
export function asOneOf<T extends string>(...words: T[]): (text: string) => T {
  return (text) => {
    const word = words.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
    if (word === undefined) throw new Error(`must be one of ${words.join(', ')}`);
    return word;
  };
}

/** A parser of a comma separated list of some of `words`; an empty one cannot be written, it is the default. */
export function asSomeOf<T extends string>(...words: T[]): (text: string) => readonly T[] {
  const asWord = asOneOf(...words);
  return (text) => text.split(',').map((part) => asWord(part.trim()));
}
