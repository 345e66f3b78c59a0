import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { runCommand } from './command';
import { makeDirectory, removeDirectory } from './directory';

/** Copies of other package versions or recipes are thrown away when nobody has used them for this long. */
const UNUSED_DAYS = 30;

/** Initial data that take long to make and that are the same for each run. */
export interface CachedData {
  readonly name: string;
  /** All that decides what `make` makes. Its hash is part of the copy's name, so an old copy is never taken. */
  readonly recipe: unknown;
  /** Where the data shall lie; must not exist yet. */
  readonly target: string;
  /** Makes the data in an empty directory. Nothing made may contain the path or a port of its making. */
  readonly make: (directory: string) => Promise<void>;
}

/**
 * Puts initial data at `target`: copied from an earlier making if there is one that is whole, made anew otherwise.
 *
 * The copies are kept in the user's cache directory. Where that cannot be written, the data are made each time.
 */
export async function provideFromCache(data: CachedData): Promise<void> {
  const place = placeOf(data);
  if (await isWhole(place)) {
    await copyTree(join(place, 'data'), data.target);
    const now = new Date();
    // A cache that is shared read-only still serves; only its age cannot be kept then.
    await utimes(place, now, now).catch(() => undefined);
    return;
  }
  const workshop = join(dirname(place), `making-${data.name}-${randomUUID()}`);
  try {
    await makeDirectory(workshop);
  } catch {
    await mkdir(data.target, { recursive: true, mode: 0o700 });
    await data.make(data.target);
    return;
  }
  try {
    const made = join(workshop, 'copy');
    await mkdir(join(made, 'data'), { recursive: true, mode: 0o700 });
    await data.make(join(made, 'data'));
    await writeFile(join(made, 'inventory.json'), JSON.stringify(await inventory(join(made, 'data'))));
    await copyTree(join(made, 'data'), data.target);
    await install(made, place);
    await forgetUnused(data.name, place);
  } finally {
    await removeDirectory(workshop);
  }
}

/** Throws the kept copy away, for a caller that found that it does not work. */
export async function discardFromCache(data: Pick<CachedData, 'name' | 'recipe'>): Promise<void> {
  await rm(placeOf(data), { recursive: true, force: true });
}

/** The installed versions of Debian packages, as a part of a recipe; null where dpkg knows none. */
export async function packageVersions(names: readonly string[]): Promise<Record<string, string | null>> {
  const versions: Record<string, string | null> = {};
  for (const name of names) {
    try {
      const answer = await runCommand('/usr/bin/dpkg-query', ['-W', '-f=${Version}', name], {
        timeoutMs: 20_000,
      });
      versions[name] = answer.stdout;
    } catch {
      versions[name] = null;
    }
  }
  return versions;
}

function placeOf(data: Pick<CachedData, 'name' | 'recipe'>): string {
  const home = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const hash = createHash('sha256').update(JSON.stringify(data.recipe)).digest('hex').slice(0, 16);
  return join(home, 'dynamic-mount-service', `rig-${data.name}-${hash}`);
}

/** Path and size of each file: enough to notice a copy that was cut short or cleared by a cleaning tool. */
async function inventory(directory: string): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for (const name of (await readdir(directory, { recursive: true })).sort()) {
    const state = await stat(join(directory, name));
    if (state.isFile()) sizes[name] = state.size;
  }
  return sizes;
}

async function isWhole(place: string): Promise<boolean> {
  try {
    const expected = JSON.parse(await readFile(join(place, 'inventory.json'), 'utf8')) as unknown;
    return JSON.stringify(expected) === JSON.stringify(await inventory(join(place, 'data')));
  } catch {
    return false;
  }
}

/** Renaming a directory onto another that holds something fails: of two runs at once the first one's copy stays. */
async function install(made: string, place: string): Promise<void> {
  if (existsSync(place) && !(await isWhole(place))) await rename(place, join(dirname(made), 'broken'));
  try {
    await rename(made, place);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOENT') throw error;
  }
}

async function forgetUnused(name: string, place: string): Promise<void> {
  const parent = dirname(place);
  const oldest = Date.now() - UNUSED_DAYS * 86_400_000;
  for (const entry of await readdir(parent)) {
    const other = join(parent, entry);
    if (!entry.startsWith(`rig-${name}-`) || other === place) continue;
    if ((await stat(other)).mtimeMs < oldest) await rm(other, { recursive: true, force: true });
  }
}

/** With cp, which keeps holes and shares blocks where the file system can: database files are mostly empty. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await runCommand('/bin/cp', ['-a', '--reflink=auto', '--sparse=always', '--', from, to], {
    timeoutMs: 60_000,
  });
}
