import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { DmsError } from '@app/contracts';
import { type HttpAnswer, HttpReader } from '@app/platform';
import { type ServerSettings, SETTINGS } from '../../settings/server.settings';
import { type Deadline } from '../target-provider.interface';

const MAX_BODY_BYTES = 64 * 1024;
const LONGEST_REQUEST_MS = 30_000;

/** Reads from Keystone and Barbican, until the commands in flight have ended. */
@Injectable()
export class OpenStackReader implements OnApplicationShutdown {
  readonly #http: HttpReader;
  #closed = false;

  constructor(@Inject(SETTINGS) { caFile, insecureTls }: Pick<ServerSettings, 'caFile' | 'insecureTls'>) {
    this.#http = new HttpReader({ caFile, insecureTls, maxBodyBytes: MAX_BODY_BYTES });
  }

  /**
   * @param service the server's name for error texts, e.g. `Barbican`
   * @throws DmsError SECRET_UNAVAILABLE if there is no answer that can be used; NODE_UNREACHABLE if dms-server stops
   *   before there is one
   */
  async get(
    service: string,
    url: string,
    headers: Record<string, string>,
    deadline: Deadline,
  ): Promise<HttpAnswer> {
    let answer: HttpAnswer;
    try {
      answer = await this.#http.get(url, headers, Math.min(deadline.remainingMs(), LONGEST_REQUEST_MS));
    } catch (error) {
      if (this.#closed) {
        const text = `dms-server stopped before ${service} had answered; nothing was mounted.`;
        throw new DmsError('NODE_UNREACHABLE', text);
      }
      throw new DmsError('SECRET_UNAVAILABLE', `${service} ${(error as Error).message}.`);
    }
    if (answer.status < 300 || answer.status >= 400) return answer;
    const text = `${service} answered with a redirect (${answer.status}), which is not followed: it would carry the token elsewhere.`;
    throw new DmsError('SECRET_UNAVAILABLE', text);
  }

  /** After the transport has closed: a command that still waits then is one that outlasted its grace. */
  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  /** Ends all requests. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#http.close();
  }
}
