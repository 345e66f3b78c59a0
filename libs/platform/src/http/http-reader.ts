import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { Agent, request } from 'undici';
import { reasonOf } from './http-problems';

export interface HttpReaderOptions {
  /** PEM file with authorities that are trusted beside those of Node.js; null: none. */
  readonly caFile: string | null;
  /** Certificates are not checked at all; only where an operator has said so. */
  readonly insecureTls: boolean;
  /** A longer answer is an error. */
  readonly maxBodyBytes: number;
  /** Connections to one server at a time; not set: as many as there are requests. */
  readonly connections?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** There is no answer that can be used. The message is the end of a sentence that begins with the server's name. */
export class HttpReadError extends Error {}

/**
 * Reads from services that are given a token, and from nobody else: no redirect is followed and no proxy of the
 * environment is used, for either would carry the token elsewhere. Bodies and times are bounded, and a connection
 * serves one request, for some servers close theirs without saying so.
 */
export class HttpReader {
  #agent: Promise<Agent> | null = null;

  constructor(private readonly options: HttpReaderOptions) {}

  /**
   * The answer, whatever its status.
   *
   * @param limitMs milliseconds for all of it, from the connection to the last byte of the body
   * @throws HttpReadError
   */
  async get(url: string, headers: Record<string, string>, limitMs: number): Promise<HttpAnswer> {
    try {
      const { statusCode, body } = await request(url, {
        dispatcher: await this.#connections(),
        headers,
        signal: AbortSignal.timeout(Math.max(1, Math.ceil(limitMs))),
      });
      return { status: statusCode, body: await body.text() };
    } catch (error) {
      throw new HttpReadError(reasonOf(error, this.options.maxBodyBytes));
    }
  }

  /** Ends all requests. */
  async close(): Promise<void> {
    await (await this.#agent?.catch(() => null))?.destroy();
  }

  #connections(): Promise<Agent> {
    this.#agent ??= this.#makeAgent().catch((error: unknown) => {
      this.#agent = null; // the file may be mended by the next request
      throw error;
    });
    return this.#agent;
  }

  async #makeAgent(): Promise<Agent> {
    const { caFile, insecureTls, maxBodyBytes, connections } = this.options;
    const ca = caFile === null ? undefined : [...rootCertificates, await readFile(caFile, 'utf8')];
    return new Agent({
      ...(connections === undefined ? {} : { connections }),
      maxResponseSize: maxBodyBytes,
      pipelining: 0,
      // Said in so many words: NODE_TLS_REJECT_UNAUTHORIZED in the environment must not decide it.
      connect: { ca, rejectUnauthorized: !insecureTls },
    });
  }
}
