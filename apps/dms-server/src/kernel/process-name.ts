import { readFile } from 'node:fs/promises';

/** Returns the name of a process' program. Its whole command line may hold secrets, and reading that can hang. */
export async function processName(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
  } catch {
    return '(ended)';
  }
}
