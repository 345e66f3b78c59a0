import { mkdir } from 'node:fs/promises';
import { type NodeProcess } from '../fleet/node-process';
import { runCommand } from '../rig';

const COMMAND_MS = 10_000;
/** Enough for all that a node writes down, and soon full. */
const RUN_SIZE = '16m';

/**
 * Gives a node that does not run a base that all mount namespaces share, as containers have it, and a run directory in
 * memory, as machines have it. The fleet unmounts both when it stops.
 */
export async function layDisks(node: NodeProcess): Promise<void> {
  await mkdir(node.base, { recursive: true });
  await run('mount', ['--bind', node.base, node.base]);
  await run('mount', ['--make-shared', node.base]);
  await mkdir(node.runDirectory, { recursive: true });
  await mountRunDirectory(node);
}

/** What a reboot does to the run directory of a node that does not run. */
export async function forgetRunDirectory(node: NodeProcess): Promise<void> {
  await run('umount', ['-l', node.runDirectory]);
  await mountRunDirectory(node);
}

async function mountRunDirectory({ runDirectory }: NodeProcess): Promise<void> {
  await run('mount', ['-t', 'tmpfs', '-o', `size=${RUN_SIZE},mode=0700`, 'run', runDirectory]);
}

async function run(name: string, args: readonly string[]): Promise<void> {
  await runCommand(name, args, { timeoutMs: COMMAND_MS });
}
