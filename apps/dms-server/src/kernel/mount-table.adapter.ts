import { readFile } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { type MountEntry, type MountTable, type Placeholder } from './mount-table.interface';
import { parseEntry, parseLayersAt, parseMountinfo } from './mountinfo';
import { isOnItself, isReadOnly, withoutPlaceholders } from './placeholder';

/**
 * The table of this process' mount namespace. The kernel hands it out a page at a time; since Linux 5.8 a cursor keeps
 * that consistent while mounts come and go. Older kernels can skip lines, and would have to be read until two
 * readings agree; none of the supported systems has one.
 */
@Injectable()
export class MountTableAdapter implements MountTable {
  /** How many are at work at each path. */
  readonly #makers = new Map<string, number>();

  async read(): Promise<MountEntry[]> {
    const { text, begun } = await this.#readTable();
    return withoutPlaceholders(parseMountinfo(text), begun);
  }

  async layersAt(path: string): Promise<MountEntry[]> {
    const { text, begun } = await this.#readTable();
    const mayBePlaceholder = (layer: MountEntry): boolean => isReadOnly(layer) || begun.has(path);
    return parseLayersAt(text, path).filter(
      (layer) => !mayBePlaceholder(layer) || !isOnItselfIn(text, layer),
    );
  }

  async placeholderAt(path: string): Promise<Placeholder> {
    const { text } = await this.#readTable();
    const found = parseLayersAt(text, path).filter((layer) => isOnItselfIn(text, layer));
    if (found.some(isReadOnly)) return 'stands';
    return found.length > 0 ? 'unfinished' : 'none';
  }

  async whileMaking<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const path of paths) this.#makers.set(path, (this.#makers.get(path) ?? 0) + 1);
    try {
      return await work();
    } finally {
      for (const path of paths) {
        const left = (this.#makers.get(path) ?? 1) - 1;
        if (left > 0) this.#makers.set(path, left);
        else this.#makers.delete(path);
      }
    }
  }

  /** With the paths at which a placeholder was being made at any time while the table was read. */
  async #readTable(): Promise<{ text: string; begun: ReadonlySet<string> }> {
    const before = [...this.#makers.keys()];
    const text = await readFile('/proc/self/mountinfo', 'utf8');
    return { text, begun: new Set([...before, ...this.#makers.keys()]) };
  }
}

function isOnItselfIn(text: string, layer: MountEntry): boolean {
  return isOnItself(layer, parseEntry(text, layer.parentId));
}
