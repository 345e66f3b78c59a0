import { existsSync, statfsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCommand } from '../support/command';

const KERNEL = '/usr/bin/linux.uml';
const COMPILE_TIMEOUT_MS = 60_000;

/** What makes a guest. */
export interface KernelOptions {
  /** Host name in the guest. */
  readonly name: string;
  /** Readable and writable on both sides. */
  readonly share: string;
  /** The program of its first process, and the one that carries its network. */
  readonly init: string;
  readonly network: string;
  readonly memoryMb: number;
}

/** The words that start a User-Mode Linux kernel over this machine's own root, read-only. */
export function kernelCommand({ name, share, init, network, memoryMb }: KernelOptions): string[] {
  return [
    KERNEL,
    'quiet',
    `mem=${memoryMb}M`,
    `umid=${name}`,
    `uml_dir=${share}/uml`,
    'rootfstype=hostfs',
    'rootflags=/',
    'ro',
    'root=/dev/root',
    `init=${init}`,
    `NODE=${name}`,
    `SHARE=${share}`,
    `eth0=slirp,,${network}`,
    'con0=fd:0,fd:1',
    'con=null',
    'ssl=null',
  ];
}

/**
 * Where the kernel keeps the guest's memory: a file that has no name. On disk it would be written there all the time.
 *
 * @param otherwise where there is no room in memory, as in many containers
 */
export function memoryDirectory(memoryMb: number, otherwise: string): string {
  const directory = '/dev/shm';
  if (!existsSync(directory)) return otherwise;
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize > 2 * memoryMb * 1024 * 1024 ? directory : otherwise;
}

/** Compiles fp-state.c, unless that was done, and gives the path of the library. */
export async function fpStateLibrary(directory: string): Promise<string> {
  const library = join(directory, 'fp-state.so');
  const made = await stat(library).catch(() => null);
  if (made !== null) return library;
  await mkdir(directory, { recursive: true });
  const args = ['-shared', '-fPIC', '-O2', '-Wall', '-Werror', '-o', library, sourceFile()];
  await runCommand('gcc', args, { timeoutMs: COMPILE_TIMEOUT_MS });
  return library;
}

/** Beside this file, or, where this file was compiled to another place, beside its source. */
function sourceFile(): string {
  const name = 'test/rig/uml/fp-state.c';
  for (let directory = __dirname; directory !== dirname(directory); directory = dirname(directory)) {
    const path = join(directory, name);
    if (existsSync(path)) return path;
  }
  throw new Error(`${name} was not found`);
}
