import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Agent, request } from 'undici';
import { DmsError } from '@app/contracts';
import { type ServerSettings, SETTINGS } from '../../settings/server.settings';
import { type Deadline } from '../target-provider.interface';

const MAX_BODY_BYTES = 64 * 1024;
const LONGEST_REQUEST_MS = 30_000;
const CA_FILE_PROBLEM = 'was not asked: the file of DMS_CA_FILE cannot be read';
const SENTENCES = new Map([
  ['UND_ERR_CONNECT_TIMEOUT', 'did not answer in time'],
  ['ETIMEDOUT', 'did not answer in time'],
  ['UND_ERR_RES_EXCEEDED_MAX_SIZE', `answered with more than ${MAX_BODY_BYTES / 1024} KiB`],
  ['ECONNREFUSED', 'refuses the connection'],
  ['ENOTFOUND', 'cannot be found by its name'],
  ['EAI_AGAIN', 'cannot be found by its name'],
  ['ENOENT', CA_FILE_PROBLEM],
  ['EACCES', CA_FILE_PROBLEM],
]);

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * Reads from OpenStack services: no redirect is followed (it would carry the token elsewhere), bodies and times are
 * bounded, and a connection serves one request, for some servers close theirs without saying so.
 */
@Injectable()
export class HttpReader implements OnModuleDestroy {
  #agent: Promise<Agent> | null = null;

  constructor(@Inject(SETTINGS) private readonly settings: ServerSettings) {}

  /**
   * @param service the server's name for error texts, e.g. `Barbican`
   * @throws DmsError SECRET_UNAVAILABLE if there is no answer that can be used
   */
  async get(
    service: string,
    url: string,
    headers: Record<string, string>,
    deadline: Deadline,
  ): Promise<HttpAnswer> {
    try {
      const limitMs = Math.ceil(Math.min(deadline.remainingMs(), LONGEST_REQUEST_MS));
      const { statusCode, body } = await request(url, {
        dispatcher: await this.#connections(),
        headers,
        signal: AbortSignal.timeout(limitMs),
      });
      return { status: statusCode, body: await body.text() };
    } catch (error) {
      throw new DmsError('SECRET_UNAVAILABLE', `${service} ${reasonOf(error)}.`);
    }
  }

  async onModuleDestroy(): Promise<void> {
    await (await this.#agent)?.close();
  }

  #connections(): Promise<Agent> {
    this.#agent ??= this.#makeAgent().catch((error: unknown) => {
      this.#agent = null; // the file may be mended by the next request
      throw error;
    });
    return this.#agent;
  }

  async #makeAgent(): Promise<Agent> {
    const { caFile } = this.settings;
    const ca = caFile === null ? undefined : [...rootCertificates, await readFile(caFile, 'utf8')];
    return new Agent({ maxResponseSize: MAX_BODY_BYTES, pipelining: 0, connect: { ca } });
  }
}

/** Says by the error's code alone what went wrong: its message could repeat what was sent. */
function reasonOf(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  return (
    SENTENCES.get(code ?? '') ??
    (name === 'TimeoutError' ? 'did not answer in time' : `cannot be reached (${code ?? name})`)
  );
}
