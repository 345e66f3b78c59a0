import { readFile } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { type MountEntry, type MountTable } from './mount-table.interface';
import { parseEntry, parseLayersAt, parseMountinfo } from './mountinfo';
import { isPlaceholder, isReadOnly, withoutPlaceholders } from './placeholder';

/**
 * The table of this process' mount namespace. The kernel hands it out a page at a time; since Linux 5.8 a cursor keeps
 * that consistent while mounts come and go. Older kernels can skip lines, and would have to be read until two
 * readings agree; none of the supported systems has one.
 */
@Injectable()
export class MountTableAdapter implements MountTable {
  async read(): Promise<MountEntry[]> {
    return withoutPlaceholders(parseMountinfo(await readTable()));
  }

  async layersAt(path: string): Promise<MountEntry[]> {
    const text = await readTable();
    return parseLayersAt(text, path).filter((layer) => !isPlaceholderIn(text, layer));
  }

  async hasPlaceholder(path: string): Promise<boolean> {
    const text = await readTable();
    return parseLayersAt(text, path).some((layer) => isPlaceholderIn(text, layer));
  }
}

function isPlaceholderIn(text: string, layer: MountEntry): boolean {
  return isReadOnly(layer) && isPlaceholder(layer, parseEntry(text, layer.parentId));
}

function readTable(): Promise<string> {
  return readFile('/proc/self/mountinfo', 'utf8');
}
