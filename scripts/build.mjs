import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const STAMP = join(ROOT, 'dist/.built');
const SOURCES = ['apps', 'libs', 'migrations', 'test', 'nest-cli.json', 'tsconfig.json', 'package-lock.json'];

/** Compiles the programs unless what is in dist/ is newer than every source. */
export function ensureBuilt({ log = console.log } = {}) {
  const built = modified(STAMP);
  if (SOURCES.every((source) => newest(join(ROOT, source)) < built)) return;
  log('Compiling …');
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) throw new Error('The programs could not be compiled: see the errors above.');
  mkdirSync(dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, '');
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  const names = readdirSync(path);
  // The client package is compiled beside its sources, which makes its folder newer.
  const own = names.includes('dist') ? 0 : stat.mtimeMs;
  return Math.max(own, ...names.filter((name) => name !== 'dist').map((name) => newest(join(path, name))));
}
