import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Injectable, Inject } from '@nestjs/common';
import { writeAtomically } from '../fence/atomic-file';
import { type ServerSettings, SETTINGS } from '../settings/server.settings';

/** So many are remembered at most: a directory beyond them is left where it is. */
const LIMIT = 10_000;

/**
 * The directories that were made for mounts, and that go with them: `<run>/directories.json`. What an operator made
 * stays. The memory ends with the boot, as all of the run directory.
 */
@Injectable()
export class MadeDirectories {
  readonly #file: string;
  readonly #paths: Set<string>;

  constructor(@Inject(SETTINGS) { runDir }: Pick<ServerSettings, 'runDir'>) {
    this.#file = join(runDir, 'directories.json');
    this.#paths = new Set(readPaths(this.#file));
  }

  has(path: string): boolean {
    return this.#paths.has(path);
  }

  list(): readonly string[] {
    return [...this.#paths];
  }

  add(paths: readonly string[]): void {
    const news = paths.filter((path) => !this.#paths.has(path));
    if (news.length === 0 || this.#paths.size + news.length > LIMIT) return;
    for (const path of news) this.#paths.add(path);
    this.#write();
  }

  delete(path: string): void {
    if (this.#paths.delete(path)) this.#write();
  }

  #write(): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    writeAtomically(this.#file, `${JSON.stringify([...this.#paths])}\n`);
  }
}

/** None where there is no file, or a torn one: then they stay, which harms nobody. */
function readPaths(file: string): string[] {
  try {
    const paths: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return Array.isArray(paths) ? paths.filter((path) => typeof path === 'string') : [];
  } catch {
    return [];
  }
}
