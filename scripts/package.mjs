// npm run package: makes libs/client/dist, what `npm pack` puts into the client package.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { ROOT } from './build.mjs';

const PACKAGE = join(ROOT, 'libs/client');
const DIST = join(PACKAGE, 'dist');
const ENTRY = join(DIST, 'client/src/index.js');

const [own, project] = [PACKAGE, ROOT].map((path) =>
  JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')),
);
if (own.version !== project.version)
  throw new Error(
    `libs/client/package.json: the version must be ${project.version}, as that of the services.`,
  );

rmSync(DIST, { recursive: true, force: true });
const { status } = spawnSync(
  process.execPath,
  [join(ROOT, 'node_modules/@nestjs/cli/bin/nest.js'), 'build', 'client'],
  { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] },
);
if (status !== 0) throw new Error('The client package could not be compiled: see the errors above.');

keepWhatIsReached();
writeEntryForModules();
if (!existsSync(join(PACKAGE, 'LICENSE'))) copyFileSync(join(ROOT, 'LICENSE'), join(PACKAGE, 'LICENSE'));

/** Files of the contract that were compiled only for their types need packages that the client does without. */
function keepWhatIsReached() {
  const reached = new Set([
    ...reachedFrom(ENTRY, '.js'),
    ...reachedFrom(ENTRY.replace(/js$/, 'd.ts'), '.d.ts'),
  ]);
  for (const name of readdirSync(DIST, { recursive: true })) {
    const path = join(DIST, name);
    if (/\.(js|ts)$/.test(name) && !reached.has(path)) rmSync(path);
  }
}

function reachedFrom(entry, extension, seen = new Set()) {
  if (seen.has(entry)) return seen;
  if (!existsSync(entry)) throw new Error(`${entry} is missing`);
  seen.add(entry);
  for (const [, specifier] of readFileSync(entry, 'utf8').matchAll(
    /(?:require\(|from |import\()["'](\.[^"']+)["']/g,
  ))
    reachedFrom(`${resolve(dirname(entry), specifier)}${extension}`, extension, seen);
  return seen;
}

/**
 * ES modules get the same code by another door: two copies of a class would be two classes, and `instanceof` would
 * depend on who imported what.
 */
function writeEntryForModules() {
  const names = Object.keys(createRequire(import.meta.url)(ENTRY)).filter((name) => name !== '__esModule');
  writeFileSync(
    join(DIST, 'index.mjs'),
    `import client from './client/src/index.js';\nexport const {\n  ${names.join(',\n  ')},\n} = client;\n`,
  );
  writeFileSync(join(DIST, 'index.d.mts'), `export * from './client/src/index.js';\n`);
}
