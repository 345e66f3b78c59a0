import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A secret found where it must not be. */
export interface Find {
  readonly place: string;
  readonly secret: string;
  /** In which writing, e.g. `base64`. */
  readonly form: string;
}

interface Needle {
  readonly secret: string;
  readonly form: string;
  readonly text: string;
}

/** A process as `/proc` shows it to root. */
export interface ShownProcess {
  readonly pid: number;
  readonly cmdline: string;
  readonly environ: string;
}

/**
 * Looks for marked secrets, in whatever writing they could stand. Whoever searches a place names a control, a text that
 * must be found in it: a place that is empty, or was not read, can thus not pass.
 */
export class SecretSearch {
  readonly #needles: Needle[] = [];

  /** @param value unique and not guessable, for it is searched for everywhere */
  add(secret: string, value: string): void {
    if (value.length < 8) throw new Error(`"${secret}" is too short to be searched for`);
    this.#needles.push(...formsOf(value).map(([form, text]) => ({ secret, form, text })));
  }

  /** The secrets in a content, of `only` if that is given. */
  findIn(place: string, content: string | Buffer, only?: readonly string[]): Find[] {
    const bytes = Buffer.from(content);
    return this.#needles
      .filter(({ secret, text }) => (only === undefined || only.includes(secret)) && bytes.includes(text))
      .map(({ secret, form }) => ({ place, secret, form }));
  }

  /**
   * As {@link findIn}.
   *
   * @throws Error if the control is not in the content
   */
  search(place: string, content: string | Buffer, control: string, only?: readonly string[]): Find[] {
    if (!Buffer.from(content).includes(control))
      throw new Error(`${place}: not even "${control}" was found in ${content.length} bytes`);
    return this.findIn(place, content, only);
  }

  /**
   * As {@link search}, of all files below a directory taken together.
   *
   * @param without names of files and directories that are passed over
   */
  async searchFiles(directory: string, control: string, without: readonly string[] = []): Promise<Find[]> {
    const files = await filesBelow(directory, without);
    const finds: Find[] = [];
    let isSearched = false;
    for (const file of files) {
      const content = await readFile(file).catch((error: NodeJS.ErrnoException) => {
        // It was removed meanwhile, or is a socket.
        if (error.code === 'ENOENT' || error.code === 'ENXIO') return Buffer.alloc(0);
        throw error;
      });
      isSearched ||= content.includes(control) || file.includes(control);
      finds.push(...this.findIn(file, content));
    }
    if (!isSearched) throw new Error(`${directory}: "${control}" is in none of its ${files.length} files`);
    return finds;
  }
}

/** Every process of this machine. One that ends meanwhile is left out. */
export function shownProcesses(): ShownProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const read = (file: string): string => readFileSync(`/proc/${name}/${file}`, 'latin1');
        return [{ pid: Number(name), cmdline: read('cmdline'), environ: read('environ') }];
      } catch {
        return [];
      }
    });
}

function formsOf(value: string): [string, string][] {
  const bytes = Buffer.from(value);
  const hex = bytes.toString('hex');
  // Within something longer the bytes stand in one of three ways to the groups of three of base64.
  const base64 = [0, 1, 2].map((shift) => {
    const whole = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    return whole.slice(shift === 0 ? 0 : shift + 1, -1);
  });
  const forms: [string, string][] = [
    ['as it is', value],
    ['base64', base64[0]],
    ['base64, shifted by one', base64[1]],
    ['base64, shifted by two', base64[2]],
    ['base64url', base64[0].replaceAll('+', '-').replaceAll('/', '_')],
    ['hex', hex],
    ['hex in capitals', hex.toUpperCase()],
    ['backwards', [...value].toReversed().join('')],
    ['in a URL', encodeURIComponent(value)],
    ['in JSON', JSON.stringify(value).slice(1, -1)],
    ['in JSON twice', JSON.stringify(JSON.stringify(value)).slice(3, -3)],
    ['UTF-16', bytes.toString('latin1').split('').join('\0')],
  ];
  const seen = new Set<string>();
  return forms.filter(([, text]) => !seen.has(text) && seen.add(text));
}

async function filesBelow(directory: string, without: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (without.includes(entry.name)) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) files.push(...(await filesBelow(path, without)));
    else if (entry.isFile()) files.push(path);
  }
  return files;
}
