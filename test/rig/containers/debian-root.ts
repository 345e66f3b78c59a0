import { existsSync } from 'node:fs';
import { cp, mkdir, realpath, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCommand } from '../support/command';
import { packageVersions, provideFromCache } from '../support/golden';

const SUITE = 'bookworm';
const MAKE_MS = 300_000;

/**
 * Lays out a small Debian 12 in a directory, as debootstrap(8) makes it: what is essential, and authorities of TLS.
 *
 * @param directory must not exist yet
 */
export async function makeDebianRoot(directory: string): Promise<void> {
  const archive = `${directory}.archive`;
  const recipe = { SUITE, ...(await packageVersions(['debootstrap'])) };
  await provideFromCache({ name: 'debian', recipe, target: archive, make: bootstrap });
  await mkdir(directory, { mode: 0o755 });
  await runCommand('tar', ['-C', directory, '-xpf', join(archive, 'root.tar')], { timeoutMs: MAKE_MS });
  await rm(archive, { recursive: true });
}

/** Gives a Debian root the Node.js and the npm that run this. */
export async function addNode(root: string): Promise<void> {
  const modules = join(dirname(await realpath(process.execPath)), '../lib/node_modules');
  const npm = join(modules, 'npm');
  if (!existsSync(npm)) throw new Error(`There is no npm beside ${process.execPath}`);
  await cp(process.execPath, join(root, 'usr/bin/node'));
  await cp(npm, join(root, 'usr/lib/node_modules/npm'), { recursive: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/bin/npm'));
}

async function bootstrap(directory: string): Promise<void> {
  const root = join(directory, 'root');
  const run = (command: string, ...args: string[]): Promise<unknown> =>
    runCommand(command, args, { timeoutMs: MAKE_MS });
  await run('/usr/sbin/debootstrap', '--variant=minbase', '--include=ca-certificates', SUITE, root);
  const rest = ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/locale', 'usr/share/man'];
  for (const each of rest) await rm(join(root, each), { recursive: true });
  await run('tar', '-C', root, '-cpf', join(directory, 'root.tar'), '.');
  await rm(root, { recursive: true });
}
