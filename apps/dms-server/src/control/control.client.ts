import { request } from 'node:http';
import { DmsError } from '@app/contracts';
import { type ServerSettings } from '../settings/server.settings';
import { type ControlAnswer, controlSocket } from './control.protocol';

/** The server may wait for an unmount, which has its own deadline, and for another one before it. */
const SPARE_MS = 30_000;

/**
 * Asks the running server of this node.
 *
 * @returns its sentence
 * @throws DmsError NODE_UNREACHABLE if none runs, TIMEOUT, or what the server refuses with
 */
export async function askServer(
  settings: Pick<ServerSettings, 'runDir' | 'unmountTimeoutMs'>,
  path: string,
): Promise<string> {
  const timeoutMs = 2 * settings.unmountTimeoutMs + SPARE_MS;
  const answer = JSON.parse(await post(controlSocket(settings), path, timeoutMs)) as ControlAnswer;
  if (answer.status === 'success') return answer.message;
  throw new DmsError(answer.error_code ?? 'INTERNAL', answer.message);
}

function post(socketPath: string, path: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method: 'POST', timeout: timeoutMs }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => resolve(text)).once('error', reject);
    });
    asked.once('timeout', () =>
      asked.destroy(new DmsError('TIMEOUT', 'dms-server has not answered in time.')),
    );
    asked.once('error', (error: NodeJS.ErrnoException) => {
      if (error instanceof DmsError) return reject(error);
      const text = `No dms-server can be asked at ${socketPath} (${error.code ?? error.message}).`;
      reject(new DmsError('NODE_UNREACHABLE', text));
    });
    asked.end();
  });
}
