import { askServer } from '../control/control.client';
import { type NodeDirectories } from '../settings/server.settings';
import { type Options } from './options';

/**
 * Has the running server do something, and prints what it says.
 *
 * @returns the exit status 0
 * @throws DmsError as askServer
 */
export async function ask(settings: NodeDirectories, path: string, { format }: Options): Promise<number> {
  const message = await askServer(settings, path);
  process.stdout.write(`${format === 'json' ? JSON.stringify({ status: 'success', message }) : message}\n`);
  return 0;
}
