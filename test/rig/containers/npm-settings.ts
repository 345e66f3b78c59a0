import { writeFile } from 'node:fs/promises';
import { runCommand } from '../support/command';

/** Writes a file of settings by which npm elsewhere asks whom it asks here. */
export async function writeNpmSettings(file: string): Promise<void> {
  const environment = { ...(process.env as Record<string, string>) };
  const { stdout } = await runCommand('npm', ['config', 'get', 'registry'], {
    timeoutMs: 30_000,
    environment,
  });
  await writeFile(file, `registry=${stdout.trim()}\ncafile=/etc/ssl/certs/ca-certificates.crt\n`);
}
