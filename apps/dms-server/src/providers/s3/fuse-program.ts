import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { scriptPath } from '../../processes/scripts';

const SEARCH_PATH = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/bin'];

/** The program that mounts a bucket. */
export interface FuseProgram {
  readonly program: string;
  readonly args: readonly string[];
}

/** What the log calls it: `s3vaultfuse`, `s3fs`, or the name of another program. */
export async function fuseProgramName(configured: string): Promise<string> {
  const { program, args } = await chooseFuseProgram(configured);
  return args.length === 0 ? basename(program, '.py') : 's3fs';
}

/** `configured` (a path, or a name in PATH) where it is installed, else our own launcher of s3fs. */
export async function chooseFuseProgram(configured: string): Promise<FuseProgram> {
  const places = configured.includes('/')
    ? [configured]
    : SEARCH_PATH.map((place) => join(place, configured));
  for (const path of places) {
    if (await isProgram(path)) return { program: path, args: [] };
  }
  return { program: '/bin/sh', args: [scriptPath('s3fs-launcher.sh')] };
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false; // it is not there, or not for us
  }
}
